"""Both engines behind the same calls, against each other, and what happens when one dies or cannot start."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from actors.busy import Busy
from actors.reconstruction import EngineStartError, Prompt, ReconstructionLLM
from cetd.config import EngineLimits, LLMConfig, SamplingConfig
from cetd.evaluation.server_process import free_port
from cetd.feedback.health import EngineState

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.usefixtures("local_ray")]

PROMPTS = [Prompt(f"def f(xs): return {number}", number) for number in range(20)]
GREEDY = SamplingConfig(temperature=0, max_new_tokens=12)
PATIENCE_S = 180


def vllm_config(folder: Path, **limits: float) -> LLMConfig:
    return LLMConfig(name="oak", path=folder, sampling=GREEDY, limits=EngineLimits.model_validate(limits))


@asynccontextmanager
async def running(config: LLMConfig, folder: Path | None):
    llm = ReconstructionLLM(config, folder, "revision")
    try:
        await llm.start()
        yield llm
    finally:
        await llm.close()


def ignored(interval: Busy) -> None:
    assert interval.start <= interval.end


async def complete(llm: ReconstructionLLM, prompts: list[Prompt], patience_s: float = 60) -> list[str | None]:
    return await llm.complete(prompts, patience_s, ignored)


@pytest.fixture(scope="module")
def server(llm_folder: Path) -> Iterator[str]:
    """vLLM's own OpenAI-compatible server with the same model; its URL."""
    port = free_port()
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(llm_folder)]
    command += ["--served-model-name", "oak", "--dtype", "float32", "--enforce-eager", "--max-model-len", "256"]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_for_server(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_server(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read().decode()[-3000:] if process.stdout else ""
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")


def test_requests_of_concurrent_calls_share_the_engine_and_answer_in_order(llm_folder: Path) -> None:
    async def scenario() -> None:
        async with running(vllm_config(llm_folder), llm_folder) as llm:
            together = await complete(llm, PROMPTS)
            parts = await asyncio.gather(*(complete(llm, PROMPTS[start : start + 5]) for start in range(0, 20, 5)))
            assert [text for part in parts for text in part] == together
            assert len(set(together)) > 5
            assert await complete(llm, [Prompt("x " * 2000, 0)]) == [""], "longer than the context: no retry helps"

    asyncio.run(scenario())


def test_a_killed_engine_answers_again_and_a_waiting_request_is_retried(llm_folder: Path) -> None:
    async def scenario() -> None:
        async with running(vllm_config(llm_folder, backoff_s=0.2), llm_folder) as llm:
            before = await complete(llm, PROMPTS)
            os.kill(await llm.process_id(), signal.SIGKILL)
            while llm.health.state is not EngineState.DEAD:
                await asyncio.sleep(0.01)
            assert await complete(llm, PROMPTS[:1], patience_s=0) == [None], "down, and nobody waits for it"
            assert await complete(llm, PROMPTS, patience_s=PATIENCE_S) == before
            assert (llm.health.state, llm.health.restarts) == (EngineState.READY, 1)

    asyncio.run(scenario())


def test_a_deadline_that_passes_leaves_the_request_without_an_answer(llm_folder: Path) -> None:
    async def scenario() -> None:
        config = vllm_config(llm_folder, request_timeout_s=0.001, max_retries=1)
        async with running(config, llm_folder) as llm:
            assert None in await complete(llm, PROMPTS)
            assert llm.health.state is not EngineState.READY

    asyncio.run(scenario())


def test_the_openai_engine_says_what_the_vllm_engine_says(llm_folder: Path, server: str) -> None:
    remote = LLMConfig(name="oak", engine="openai", base_url=server, sampling=GREEDY)

    async def scenario() -> None:
        async with running(vllm_config(llm_folder), llm_folder) as local, running(remote, None) as served:
            assert await complete(served, PROMPTS) == await complete(local, PROMPTS)
            assert await complete(served, [Prompt("x " * 2000, 0)]) == [""]

    asyncio.run(scenario())


def test_an_endpoint_that_is_wrong_is_said_in_one_line(server: str) -> None:
    unknown = LLMConfig(name="elm", engine="openai", base_url=server)
    closed = LLMConfig(name="elm", engine="openai", base_url="http://127.0.0.1:9/v1")

    async def start(config: LLMConfig) -> None:
        async with running(config, None):
            pass

    with pytest.raises(EngineStartError, match=r"engine 'elm' did not start: .*served_model='elm': not served .*oak"):
        asyncio.run(start(unknown))
    with pytest.raises(EngineStartError, match=r"base_url=http://127\.0\.0\.1:9/v1: no answer"):
        asyncio.run(start(closed))
