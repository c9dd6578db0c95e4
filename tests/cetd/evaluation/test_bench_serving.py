"""The comparison of servers, against a small one that answers as serve/ does."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cetd.config import FeedbackJobConfig, load
from cetd.data.tokenizer import Tokenizer
from cetd.errors import InfrastructureError
from cetd.evaluation import bench_serving
from cetd.evaluation.bench_serving import BUSY, CONCURRENCY, Side, compare, limit, measure, random_model, targets
from cetd.evaluation.plain_server import Generator, InferBody
from cetd.evaluation.server_process import Server, free_port
from cetd.models import huggingface
from tests.jobs.running import TINY

PROGRAM = """
import asyncio, json, sys, uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()
ANSWER = {"usage": {"output_tokens": 3}, "timings": {"total_ms": 1.0}}

@app.post("/infer")
async def infer(request: Request):
    await asyncio.sleep(float(sys.argv[2]))
    return ANSWER

@app.post("/v1/requirements")
async def requirements(request: Request):
    return StreamingResponse(iter(["event: token\\ndata: {}\\n\\n", f"event: done\\ndata: {json.dumps(ANSWER)}\\n\\n"]))

@app.get("/health")
async def health():
    return {}

uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def side(folder: Path, name: str, seconds: float, streams: bool) -> Side:
    port = free_port()
    command = (sys.executable, "-c", PROGRAM, str(port), str(seconds))
    return Side(Server(name, command, f"http://127.0.0.1:{port}", "/health", folder / f"{name}.log"), streams)


def test_both_sides_are_measured_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_serving, "_MINUTE_S", 0.4)
    ours, other, next_to_them = (
        partial(side, tmp_path, name, seconds, streams)
        for name, seconds, streams in (("ours", 0.01, True), ("other", 0.1, False), ("beside", 0.01, True))
    )
    found = compare(ours, other, seconds=0.4, minutes=2, beside=[next_to_them])
    assert list(found["sides"]) == ["ours", "other", "beside"]
    beside = found["sides"].pop("beside")
    assert beside["levels"]["1"]["requests"]
    assert beside["sustained"] is None
    for one in found["sides"].values():
        assert list(one["levels"]) == [str(clients) for clients in CONCURRENCY]
        assert all(level["requests"] and not level["errors"] for level in one["levels"].values())
        assert one["memory"]["ready"] > 2**20
        assert one["memory"]["peak"] >= one["memory"]["ready"]
        assert one["overhead"]["health_ms"]["p50"] > 0
        (name,) = one["levels"]["8"]["processor_ms"]
        assert name.startswith("python")
        assert limit(one["levels"]["8"], processors=2) > one["levels"]["8"]["requests_per_s"] / 4
    assert found["sides"]["other"]["sustained"] is None
    sustained = found["sides"]["ours"]["sustained"]
    assert len(sustained["by_minute"]) == 2
    assert all(minute["requests_per_s"] and minute["p95_ms"] for minute in sustained["by_minute"])
    assert min(sustained["memory"].values()) > 2**20
    levels = found["sides"]["ours"]["levels"]
    assert all(level["streamed"]["first_token_ms"]["p50"] > 0 for level in levels.values())
    assert "streamed" not in found["sides"]["other"]["levels"]["1"]
    assert found["sides"]["ours"]["overhead"]["beyond_the_model_ms"]["p50"] >= 9
    assert found["targets"]["speed_up"]["found"] == pytest.approx(
        levels[str(BUSY)]["requests_per_s"] / found["sides"]["other"]["levels"][str(BUSY)]["requests_per_s"]
    )


def levels(few: float, busy: float, many: float, p95: float) -> dict[str, Any]:
    latency = {"p50": 1.0, "p95": p95, "p99": 90.0}
    speeds = {1: few, BUSY: busy, max(CONCURRENCY): many}
    return {str(clients): {"requests_per_s": speed, "latency_ms": latency} for clients, speed in speeds.items()}


def test_targets_are_met_or_not() -> None:
    found = targets(levels(10, 80, 60, 50.0), levels(1, 20, 20, 200.0))
    assert {name: (one["found"], one["met"]) for name, one in found.items()} == {
        "speed_up": (4, True),
        "growth": (6, True),
        "p95_ms": (50, True),
    }
    assert not any(one["met"] for one in targets(levels(10, 79, 59, 51.0), levels(1, 20, 20, 200.0)).values())


def test_the_limit_is_where_all_processors_are_busy() -> None:
    assert limit({"processor_ms": {"gateway": 2.0, "model": 5.5}, "client_ms": 0.5}, processors=2) == 250


def test_a_server_that_does_not_answer_any_more_ends_the_comparison(tmp_path: Path) -> None:
    ours = side(tmp_path, "ours", 0.01, False)
    with pytest.raises(InfrastructureError, match=r"ours does not answer any more \(1 clients; .*'500': 1.*\): see"):
        measure(replace(ours, server=replace(ours.server, command=(*ours.server.command[:-1], "never"))), ["x"], 0.1, 0)


def test_a_random_model_has_the_shape_of_the_policy(tmp_path: Path) -> None:
    config = load(FeedbackJobConfig, TINY, ["apps.train=40", "tokenizer_vocab=300"])
    folder = random_model(config, tmp_path / "model")
    vocabulary = Tokenizer.load(folder).vocab_size
    assert huggingface.read_config(folder) == config.policy.model.model_copy(update={"vocab_size": vocabulary})


def test_a_random_model_writes_text_to_its_limit(tmp_path: Path) -> None:
    folder = random_model(load(FeedbackJobConfig, TINY, ["apps.train=40", "tokenizer_vocab=300"]), tmp_path / "model")
    written = Generator(folder).write([InferBody(inputs=[text], max_new_tokens=16) for text in ("x = 1\n", "y = 2\n")])
    assert [one.written for one in written] == [16, 16]
    assert all(one.texts[0] for one in written)
