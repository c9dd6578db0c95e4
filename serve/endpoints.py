"""The reconstruction LLMs of the pipeline, each behind an OpenAI-compatible endpoint: an application here or elsewhere.

``/v1/models`` names them, and the OpenAI routes pass requests on to the one that ``model`` names, streams included.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from cetd.config.serve import EndpointConfig
from serve.refusals import RefusedError


class Endpoints:
    """Connections to the endpoints."""

    def __init__(self, configs: tuple[EndpointConfig, ...], timeout_s: float) -> None:
        self._configs = {config.name: config for config in configs}
        self._client = httpx.AsyncClient(timeout=timeout_s)

    def models(self) -> dict[str, Any]:
        """What ``GET /v1/models`` answers."""
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "cetd"} for name in self._configs]
        return {"object": "list", "data": data}

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def forward(self, request: Request, path: str) -> Response:
        """The endpoint's answer to an OpenAI request, as it comes.

        Raises:
            RefusedError: no such LLM, or it does not answer.
        """
        try:
            body = json.loads(await request.body())
            name = body["model"]
        except (ValueError, KeyError, TypeError):
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field", "model: name one of GET /v1/models", "model"
            ) from None
        config = self.config(name)
        answer = await self._post(config, path, {**body, "model": config.served_model or config.name})
        kind = answer.headers.get("content-type", "application/json")
        return StreamingResponse(_relayed(answer), answer.status_code, media_type=kind)

    async def write(self, name: str, prompt: str, max_new_tokens: int | None, temperature: float) -> AsyncIterator[str]:
        """Pieces of the LLM's completion of a prompt.

        Raises:
            RefusedError: no such LLM, or it fails.
        """
        config = self.config(name)
        asked = {"prompt": prompt} if not config.chat else {"messages": [{"role": "user", "content": prompt}]}
        body = {
            **asked,
            "model": config.served_model or config.name,
            "max_tokens": max_new_tokens or config.max_new_tokens,
            "temperature": temperature,
            "stream": True,
        }
        answer = await self._post(config, "chat/completions" if config.chat else "completions", body)
        try:
            if answer.is_error:
                raise _failed(config, f"status {answer.status_code}: {_said(await answer.aread())}")
            async for line in answer.aiter_lines():
                data = line.removeprefix("data:").strip()
                if line.startswith("data:") and data != "[DONE]":
                    yield _piece(config, data)
        except httpx.HTTPError as error:
            raise _failed(config, f"{type(error).__name__}: {error}") from None
        finally:
            await answer.aclose()

    def config(self, name: object) -> EndpointConfig:
        """The endpoint of that name.

        Raises:
            RefusedError: there is none.
        """
        if not isinstance(name, str) or name not in self._configs:
            known = ", ".join(self._configs) or "none is configured"
            raise RefusedError(HTTPStatus.NOT_FOUND, "unknown_model", f"model={name!r} is not here: {known}", "model")
        return self._configs[name]

    async def _post(self, config: EndpointConfig, path: str, body: dict[str, Any]) -> httpx.Response:
        key = os.environ.get(config.api_key_env, "") if config.api_key_env else ""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        request = self._client.build_request(
            "POST", f"{config.base_url.rstrip('/')}/{path}", json=body, headers=headers
        )
        try:
            return await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise _failed(config, f"no answer ({type(error).__name__})") from None


async def _relayed(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_raw():
            yield part
    finally:
        await answer.aclose()


def _piece(config: EndpointConfig, data: str) -> str:
    try:
        event = json.loads(data)
        if "error" in event:
            raise _failed(config, _said(data.encode()))
        choice = event["choices"][0] if event["choices"] else {}
        return choice.get("text") or (choice.get("delta") or {}).get("content") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _failed(config, f"not an OpenAI stream: {data[:100]}") from None


def _said(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:300]


def _failed(config: EndpointConfig, why: str) -> RefusedError:
    return RefusedError(HTTPStatus.BAD_GATEWAY, "llm_failed", f"llm={config.name}: {why}", "llm")
