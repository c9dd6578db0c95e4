"""The deployment that answers HTTP: requirements, plain inference, the pipeline, and verdicts on what was served.

It decides (cache, deadline, record) and composes; the model writes in a deployment of its own. Routes are in
``routes.py``, what every request passes before them in ``guard.py``.
"""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import metrics
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from cetd.config import SamplingConfig
from cetd.config.serve import ServeConfig
from cetd.data.app import Interface
from cetd.data.prompts import program_from, reconstruction_prompt
from cetd.data.signatures import signatures
from cetd.serving.answers import Answer, Ask, Piece, Text, items, milliseconds
from cetd.serving.places import Places
from cetd.serving.recording import Recorder, Served, UnknownRequest, Verdict
from cetd.serving.response_cache import ResponseCache
from serve.bodies import CodeBody, FeedbackBody, InferBody, Options, PipelineBody
from serve.endpoints import Endpoints
from serve.guard import Guard, Room
from serve.model_client import ModelClient
from serve.refusals import RefusedError
from serve.routes import routes

log = logging.getLogger("ray.serve")

READY_S = 5.0

# An event of a stream: its name and its data.
Event = tuple[str, dict[str, Any]]


class Gateway:
    """One replica; :data:`GatewayDeployment` makes it one."""

    def __init__(self, config: ServeConfig, runs: Path, model: DeploymentHandle, places: int) -> None:
        """``places`` is how many requests all replicas of the model, and the queue before them, have room for."""
        self.config, self._runs, self._places = config, runs, places
        limits = config.limits
        self._model = ModelClient(model, limits)
        self._cache = ResponseCache(limits.cache_ttl_s, limits.cache_bytes, time.monotonic)
        self.endpoints = Endpoints(config.llms, limits.deadline_s)
        self._version: str | None = None
        self._recorder: Recorder | None = None
        if config.recording.enabled:
            self._recorder = Recorder(config.recording.folder or runs / "production", config.recording, time.time)
        self._hits = metrics.Counter("cetd_cache_hits_total", "Answers from the response cache")
        self._misses = metrics.Counter("cetd_cache_misses_total", "Answers that the cache could have had and had not")

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Serve asks for it once the constructor has run."""
        limits = self.config.limits
        room = Room(Places(self._places), limits.retry_after_s)
        return Guard(routes(self), self.config.access, limits.max_body_bytes, self._runs, room)

    async def ready(self) -> str:
        """The version that answers.

        Raises:
            RefusedError: none does.
        """
        version = await self._model.ready(READY_S)
        if version is None:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not_ready",
                "the model has not written a token yet",
                retry_after_s=self.config.limits.retry_after_s,
            )
        self._version = version
        return version

    async def infer(self, body: InferBody, request_id: str) -> dict[str, Any]:
        """The answer of ``POST /infer``.

        Raises:
            RefusedError: see :class:`ModelClient`, and more inputs or tokens than are allowed.
        """
        limit = self.config.limits.max_inputs
        if len(body.inputs) > limit:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "too_many_inputs",
                f"inputs: {len(body.inputs)} texts, and at most {limit} at once: send several requests",
                "inputs",
                limit,
            )
        answer, cached = await self._answered(self._ask(tuple(body.inputs), body), body, body.deadline_s)
        return {
            **self._head(answer, request_id, cached),
            "outputs": [text.text for text in answer.texts],
            "finish_reasons": [text.finish for text in answer.texts],
        }

    async def requirements(self, body: CodeBody, request_id: str) -> dict[str, Any]:
        """The answer of ``POST /v1/requirements``; errors as :meth:`infer`."""
        answer, cached = await self._answered(self._ask((body.text,), body.options), body.options, body.deadline_s)
        return self._written(answer, body, request_id, cached)

    async def requirements_events(self, body: CodeBody, request_id: str) -> AsyncIterator[Event]:
        """The same, as it is written: events ``token``, and ``requirements`` with the whole answer."""
        ask = self._ask((body.text,), body.options)
        key = self._key(ask, body.options)
        if found := self._cached(key):
            answer = self._written(found, body, request_id, cached=True)
            yield "token", {"text": answer["text"]}
            yield "requirements", answer
            return
        version = ""
        async for event in self._model.stream(ask, self._deadline(body.deadline_s)):
            match event:
                case str():
                    version = event
                case Piece(text):
                    yield "token", {"text": text}
                case Text():
                    answer = Answer(version, (event,))
                    self._keep(ask, body.options, answer)
                    yield "requirements", self._written(answer, body, request_id, cached=False)

    async def pipeline_events(self, body: PipelineBody, request_id: str) -> AsyncIterator[Event]:
        """Events of the requirements, then ``answer_token`` of the LLM's answer, and ``done`` with all of it.

        Raises:
            RefusedError: as :meth:`infer`; no such LLM, or it fails.
        """
        self.endpoints.config(body.llm)
        interface = body.interface.interface() if body.interface else _interface(body)
        began = time.monotonic()
        requirements: dict[str, Any] = {}
        async for name, data in self.requirements_events(body, request_id):
            if name == "requirements":
                requirements = data
            yield name, data
        written = time.monotonic()
        prompt = reconstruction_prompt(requirements["text"], interface)
        pieces = []
        options = body.llm_options
        async for piece in self.endpoints.write(body.llm, prompt, options.max_new_tokens, options.temperature):
            pieces.append(piece)
            yield "answer_token", {"text": piece}
        ended = time.monotonic()
        text = "".join(pieces)
        yield (
            "done",
            {
                "id": request_id,
                "requirements": requirements,
                "llm": body.llm,
                "answer": text,
                "program": program_from(text),
                "timings": {
                    "requirements_ms": _ms(written - began),
                    "answer_ms": _ms(ended - written),
                    "total_ms": _ms(ended - began),
                },
            },
        )

    def feedback(self, body: FeedbackBody) -> dict[str, Any]:
        """Keep a verdict on a request that was served.

        Raises:
            RefusedError: nothing is recorded here, or not this request.
        """
        if self._recorder is None:
            raise RefusedError(
                HTTPStatus.CONFLICT, "recording_is_off", "requests are not recorded here: see recording.enabled"
            )
        try:
            self._recorder.verdict(body.request_id, Verdict(body.passed, body.rating, body.comment, time.time()))
        except UnknownRequest:
            raise RefusedError(
                HTTPStatus.NOT_FOUND, "unknown_request", f"request_id={body.request_id}: not on record", "request_id"
            ) from None
        return {"request_id": body.request_id, "recorded": True}

    async def check_health(self) -> None:
        """Serve's health check; also the moment to write what was recorded."""
        if self._recorder:
            await asyncio.to_thread(self._recorder.flush)

    async def close(self) -> None:
        """Write what was recorded, and hang up; Serve calls it as the replica ends."""
        await self.check_health()
        await self.endpoints.close()

    def _ask(self, inputs: tuple[str, ...], options: Options) -> Ask:
        batching = self.config.batching
        wanted = options.max_new_tokens or batching.default_new_tokens
        if wanted > batching.max_new_tokens:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid_field",
                f"max_new_tokens: {wanted} asked for, and at most {batching.max_new_tokens} are written",
                "max_new_tokens",
                batching.max_new_tokens,
            )
        sampling = SamplingConfig(
            temperature=options.temperature, top_k=options.top_k, top_p=options.top_p, max_new_tokens=wanted
        )
        return Ask(inputs, sampling, secrets.randbits(63) if options.seed is None else options.seed)

    async def _answered(self, ask: Ask, options: Options, deadline_s: float | None) -> tuple[Answer, bool]:
        """The answer, and whether the cache had it."""
        if found := self._cached(self._key(ask, options)):
            return found, True
        answer = await self._model.answer(ask, self._deadline(deadline_s))
        self._keep(ask, options, answer)
        return answer, False

    def _deadline(self, asked_s: float | None) -> float:
        longest = self.config.limits.deadline_s
        return min(asked_s or longest, longest)

    def _key(self, ask: Ask, options: Options) -> str | None:
        """Of an answer that the next one would equal: greedy, or drawn from a seed that the client gave."""
        repeats = options.temperature == 0 or options.seed is not None
        if not repeats or self._version is None:
            return None
        seed = 0 if options.temperature == 0 else ask.seed
        return self._cache.key(
            self._version, {"inputs": list(ask.inputs), "sampling": ask.sampling.model_dump(), "seed": seed}
        )

    def _cached(self, key: str | None) -> Answer | None:
        found = self._cache.get(key) if key else None
        (self._hits if found else self._misses).inc()
        if found is None:
            return None
        kept = json.loads(found)
        return Answer(kept["version"], tuple(Text(**text) for text in kept["texts"]))

    def _keep(self, ask: Ask, options: Options, answer: Answer) -> None:
        self._version = answer.model_version
        if key := self._key(ask, options):
            kept = {"version": answer.model_version, "texts": [vars(text) for text in answer.texts]}
            self._cache.put(key, json.dumps(kept).encode())

    def _head(self, answer: Answer, request_id: str, cached: bool) -> dict[str, Any]:
        return {
            "id": request_id,
            "model": self.config.model.name,
            "model_version": answer.model_version,
            "cached": cached,
            "usage": {
                "input_tokens": sum(text.input_tokens for text in answer.texts),
                "output_tokens": sum(text.output_tokens for text in answer.texts),
            },
            # Of an answer from the cache nothing was timed.
            "timings": dict.fromkeys(milliseconds(()), 0.0) if cached else milliseconds(answer.texts),
        }

    def _written(self, answer: Answer, body: CodeBody, request_id: str, cached: bool) -> dict[str, Any]:
        (text,) = answer.texts
        if self._recorder:
            self._recorder.record(
                Served(
                    request_id=request_id,
                    time=time.time(),
                    model_version=answer.model_version,
                    source=body.text,
                    requirements=text.text,
                    options=body.options.model_dump_json(),
                    latency_ms=text.total_ms,
                )
            )
        return {
            **self._head(answer, request_id, cached),
            "text": text.text,
            "items": items(text.text),
            "finish_reason": text.finish,
        }


GatewayDeployment = serve.deployment(name="Gateway")(serve.ingress()(Gateway))


def _interface(body: CodeBody) -> Interface:
    """What the code defines for others.

    Raises:
        RefusedError: it is no Python, or defines nothing.
    """
    files: Mapping[str, str] = body.files or {"solution.py": body.source or ""}
    for path, text in files.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        names = [
            node.name
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        ]
        if names:
            stem = Path(path).stem
            return Interface(stem if stem.isidentifier() else "solution", signatures(tree, names))
    raise RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_field",
        "interface: the code defines no Python function or class; say which signatures the program has to have",
        "interface",
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
