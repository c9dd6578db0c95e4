"""A server that is asked twice what it can answer."""

from __future__ import annotations

import sys
from pathlib import Path

from cetd.evaluation.bench_overload import OVER, overload
from cetd.evaluation.server_process import Server, free_port

# Answers four at a time, in 20 ms each, and refuses at once whom it has no place for.
PROGRAM = """
import asyncio, sys, uvicorn
from fastapi import FastAPI, Request, Response

app, places = FastAPI(), int(sys.argv[2])
gate, taken = asyncio.Semaphore(4), 0

@app.post("/infer")
async def infer(request: Request):
    global taken
    if taken >= places:
        return Response(status_code=503)
    taken += 1
    async with gate:
        await asyncio.sleep(0.02)
    taken -= 1
    return {"usage": {"output_tokens": 3}}

@app.get("/health")
async def health():
    return {}

uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def server(folder: Path, places: int) -> Server:
    port = free_port()
    command = (sys.executable, "-c", PROGRAM, str(port), str(places))
    return Server("small", command, f"http://127.0.0.1:{port}", "/health", folder / "small.log")


def test_a_server_that_refuses_keeps_its_time(tmp_path: Path) -> None:
    found = overload(server(tmp_path, places=16), ["x"], clients=16, seconds=2)
    assert not found["full"]["errors"]
    assert 0 < found["sent"] <= found["offered"] == OVER * found["full"]["requests_per_s"]
    assert found["over"]["errors"]["503"] > found["over"]["requests"] / 4
    assert len(found["memory"]) == len(found["by_interval"]) == 5
    assert found["targets"]["memory"]["met"]
    assert found["targets"]["p95"]["found"] < 5


def test_a_server_that_takes_all_does_not(tmp_path: Path) -> None:
    found = overload(server(tmp_path, places=10_000), ["x"], clients=16, seconds=3)
    assert not found["over"]["errors"]
    assert not found["targets"]["p95"]["met"]
