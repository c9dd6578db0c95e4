"""The engine of a reconstruction LLM behind an OpenAI-compatible endpoint: llama.cpp on a P40, vLLM's server, a host.

Same calls as the vLLM engine. The key is read from the environment on the node that runs the actor and is never
part of a configuration, a log or a rollout.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import openai
import ray

from actors.busy import Busy, busy
from cetd.config import LLMConfig

CONCURRENT_REQUESTS = 64


@ray.remote(max_restarts=0)
class OpenAIEngine:
    """Holds the connection pool to the endpoint."""

    def __init__(self, config: LLMConfig, folder: Path | None = None) -> None:
        self._config = config
        self._model = config.served_model or config.name
        key = os.environ.get(config.api_key_env, "") if config.api_key_env else ""
        self._client = openai.AsyncOpenAI(base_url=config.base_url, api_key=key or "none", max_retries=0)
        self._places = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def process_id(self) -> int:
        """Also the sign that the endpoint is up.

        Raises:
            ValueError: the endpoint does not answer or does not serve the model; the line says which.
        """
        try:
            served = [model.id async for model in self._client.models.list()]
        except openai.APIConnectionError as error:
            raise ValueError(f"base_url={self._config.base_url}: no answer ({error}); is the server up?") from None
        except openai.APIStatusError as error:
            raise ValueError(f"base_url={self._config.base_url}: answered {error.status_code}") from None
        if self._model not in served:
            raise ValueError(
                f"served_model={self._model!r}: not served at {self._config.base_url}; use one of {sorted(served)}"
            )
        return os.getpid()

    async def watch(self) -> None:
        """Returns never: the caller learns of the actor's death from this call's failure."""
        await asyncio.Event().wait()

    async def generate(self, prompts: list[str], seeds: list[int], timeout_s: float) -> tuple[list[str | None], Busy]:
        """One completion per prompt, None where the deadline passed or the endpoint failed."""
        with busy("reconstruct", self._config.name) as interval:
            requests = (self._complete(prompt, seed, timeout_s) for prompt, seed in zip(prompts, seeds, strict=True))
            completions = list(await asyncio.gather(*requests))
        return completions, interval

    async def _complete(self, prompt: str, seed: int, timeout_s: float) -> str | None:
        sampling = self._config.sampling
        try:
            async with asyncio.timeout(timeout_s), self._places:
                answer = await self._client.completions.create(
                    model=self._model,
                    prompt=prompt,
                    max_tokens=sampling.max_new_tokens,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    seed=seed % 2**31,
                )
        except (TimeoutError, openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
            return None
        except openai.BadRequestError:
            # Longer than the model's context: the requirements' fault, and no retry would change it.
            return ""
        return answer.choices[0].text
