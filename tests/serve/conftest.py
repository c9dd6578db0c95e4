"""One Ray and one Serve for all tests of the applications, which are deployed beside each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import torch
from ray import serve

from cetd.config import DecoderConfig
from cetd.data.tokenizer import Tokenizer
from cetd.evaluation.server_process import free_port
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from serve.cetd import app
from tests.cetd.serving.lively import lively_model
from tests.serve.serving import Client, until

# The reconstruction LLM that is served.
MODEL = "birch"
POSITIONS = 4096
# Few, so that a test fills them.
PLACES = {"max_concurrent": 2, "max_queued": 2}
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="package")  # a process has one Ray at a time, and tests/actors/ has another
def serve_port() -> Iterator[int]:
    os.environ["PYTHONPATH"] = f"{ROOT / 'platform'}:{ROOT}"
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        log_to_driver=False,
        _system_config={"metrics_report_interval_ms": 500},
    )
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    yield port
    serve.shutdown()
    ray.shutdown()


class Deploying:
    """Deploys applications of CET-D under prefixes of their own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.names: list[str] = []

    def __call__(self, name: str, **args: Any) -> Client:
        args.setdefault("model", {})
        args["model"] = {"cpus": 0.5, "watch_s": 0.1, **args["model"]}
        serve.run(app(args), name=name, route_prefix=f"/{name}")
        self.names.append(name)
        client = Client(f"http://127.0.0.1:{self._port}/{name}")
        until(lambda: client.get("/ready").status_code == 200)
        return client


@pytest.fixture(scope="module")
def deploy(serve_port: int) -> Iterator[Deploying]:
    deploying = Deploying(serve_port)
    yield deploying
    for name in deploying.names:
        serve.delete(name)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="package")
def llm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained LLM: what it says is noise, but always the same noise."""
    made = tmp_path_factory.mktemp("llm")
    tokenizer = Tokenizer.train(["def f(xs):\n    return sum(xs)\n"], 300)
    torch.manual_seed(0)
    model = Decoder(
        DecoderConfig(
            vocab_size=tokenizer.vocab_size,
            d_model=64,
            n_heads=2,
            n_kv_heads=1,
            n_layers=2,
            d_ff=96,
            max_positions=POSITIONS,
        )
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(5)
    huggingface.save(model, made)
    tokenizer.save(made)
    return made


@pytest.fixture(scope="package")
def llm_url(llm_folder: Path, serve_port: int) -> Iterator[str]:
    """Where the application answers; at the end nothing of it may be left."""
    from serve import llm

    model = {"name": MODEL, "path": str(llm_folder), "kv_cache_gb": 0.1, "max_concurrent": PLACES["max_concurrent"]}
    serve.run(llm.app({"models": [model], "max_queued": PLACES["max_queued"]}), name="llm", route_prefix="/llm")
    assert [engine.cmdline()[0] for engine in engines()] == ["VLLM::EngineCore"], (
        "the worker is in a process of its own"
    )
    yield f"http://127.0.0.1:{serve_port}/llm/v1"
    serve.delete("llm")
    until(lambda: not engines())


def engines() -> list[psutil.Process]:
    """vLLM's processes below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any(part.startswith("VLLM::") for part in process.cmdline()):
                found.append(process)
        except psutil.Error:  # ended meanwhile
            continue
    return found
