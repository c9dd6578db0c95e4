"""The vLLM engine of one reconstruction LLM, in a Ray actor. The one file that imports vLLM.

Requests of concurrent calls join the running batch at the next step (continuous batching): one thread steps the
engine in this process, callers wait for their own requests. Knows nothing of requirements, apps or retries.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import ray

from actors.busy import Busy, busy
from cetd.config import LLMConfig

# Enough for the calls of a few iterations in flight; each waits in a thread of its own.
CONCURRENT_CALLS = 64


@dataclass(frozen=True)
class _Request:
    prompt: str
    seed: int
    deadline: float
    completion: Future[str | None]


@ray.remote(max_restarts=0)
class VLLMEngine:
    """Holds the engine and the thread that steps it."""

    def __init__(self, config: LLMConfig, folder: Path) -> None:
        on_cpu = not config.gpus
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"
        os.environ["VLLM_NO_USAGE_STATS"] = "1"
        os.environ["HF_HUB_OFFLINE"] = "1"
        if on_cpu:
            os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
            os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, round(config.kv_cache_gb)))
            os.environ["OMP_NUM_THREADS"] = str(config.threads)
        from vllm import LLM
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        self._config = config
        self._engine = LLM(
            model=str(folder),
            dtype="float32" if on_cpu else "auto",
            enforce_eager=on_cpu,
            max_model_len=config.model.max_positions if config.path is None else None,
            disable_log_stats=True,
            seed=0,
        ).llm_engine
        sampling = config.sampling
        self._parameters = lambda seed: SamplingParams(
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            max_tokens=sampling.max_new_tokens,
            seed=seed % 2**63 if sampling.temperature else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        self._calls: queue.SimpleQueue[list[_Request]] = queue.SimpleQueue()
        threading.Thread(target=self._step_for_ever, name="engine-steps", daemon=True).start()

    def process_id(self) -> int:
        """Also the sign that the engine is up: Ray answers it only after the constructor."""
        return os.getpid()

    def watch(self) -> None:
        """Returns never: the caller learns of the engine's death from this call's failure."""
        threading.Event().wait()

    def generate(self, prompts: list[str], seeds: list[int], timeout_s: float) -> tuple[list[str | None], Busy]:
        """One completion per prompt, None where the deadline passed or the engine refused the request."""
        deadline = time.monotonic() + timeout_s
        with busy("reconstruct", self._config.name) as interval:
            requests = [_Request(p, seed, deadline, Future()) for p, seed in zip(prompts, seeds, strict=True)]
            self._calls.put(requests)
            completions = [request.completion.result() for request in requests]
        return completions, interval

    def _step_for_ever(self) -> None:
        from vllm import RequestOutput

        running: dict[str, _Request] = {}
        request_ids = itertools.count()
        try:
            while True:
                # A call's requests join together, so that equal calls to an idle engine make equal batches.
                for request in self._arrivals(wait=not running):
                    self._add(str(next(request_ids)), request, running)
                for output in self._engine.step() if running else ():
                    if isinstance(output, RequestOutput) and output.finished:
                        running.pop(output.request_id).completion.set_result(output.outputs[0].text)
                self._abort_late(running)
        finally:
            # Callers wait in other threads and would wait for ever: the process is the unit of failure.
            os._exit(70)

    def _arrivals(self, wait: bool) -> list[_Request]:
        requests = self._calls.get() if wait else []
        while not self._calls.empty():
            requests = requests + self._calls.get()
        return requests

    def _add(self, request_id: str, request: _Request, running: dict[str, _Request]) -> None:
        from vllm.exceptions import VLLMValidationError

        try:
            self._engine.add_request(request_id, request.prompt, self._parameters(request.seed))
        except VLLMValidationError:
            # Longer than the model's context: the requirements' fault, and no retry would change it.
            request.completion.set_result("")
        else:
            running[request_id] = request

    def _abort_late(self, running: dict[str, _Request]) -> None:
        now = time.monotonic()
        late = [request_id for request_id, request in running.items() if request.deadline < now]
        if late:
            self._engine.abort_request(late)
            for request_id in late:
                running.pop(request_id).completion.set_result(None)
