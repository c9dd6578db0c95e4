"""Places at the model: who gets none is told so at once, and a pipeline does not keep its own while an LLM writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.types import Message

from cetd.config.serve import AccessConfig
from cetd.serving.places import Places
from serve.cetd import app as application
from serve.gateway import Event, Gateway
from serve.guard import Guard, Room
from serve.routes import routes

INFER = {"inputs": ["x = 1\n"]}
PIPELINE = {"source": "x = 1\n", "llm": "alder"}
ID = {"x-request-id": "one"}


class Slow:
    """A gateway whose model writes at once, and whose LLM writes when it is let."""

    def __init__(self) -> None:
        self.requirements, self.go_on = asyncio.Event(), asyncio.Event()

    async def infer(self, *_: Any) -> dict[str, Any]:
        return {"outputs": ["a"]}

    async def pipeline_events(self, *_: Any) -> AsyncIterator[Event]:
        yield "requirements", {}
        self.requirements.set()
        await self.go_on.wait()
        yield "done", {"answer": "b"}


def guarded(gateway: Slow, places: Places, folder: Path) -> Guard:
    room = Room(places, retry_after_s=7)
    return Guard(routes(cast(Gateway, gateway)), AccessConfig(keys="off"), 10_000, folder, room)


def client(app: Guard) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", headers=ID)


@pytest.mark.parametrize("path", ["/infer", "/v1/requirements", "/v1/pipeline"])
def test_without_a_place_a_request_is_refused_before_its_body_is_read(path: str, tmp_path: Path) -> None:
    sent: list[Message] = []

    async def asked() -> None:
        async def receive() -> Message:
            raise AssertionError("nothing of the body is wanted")

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(name.encode(), value.encode()) for name, value in ID.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
        await guarded(Slow(), Places(0), tmp_path)(scope, receive, send)

    asyncio.run(asked())
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"7") in sent[0]["headers"]
    assert b'"overloaded"' in sent[1]["body"]


def test_who_sends_slowly_keeps_no_place_from_others(tmp_path: Path) -> None:
    async def asked() -> tuple[int, int]:
        app, begun, go_on = guarded(Slow(), Places(1), tmp_path), asyncio.Event(), asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b'{"inputs": '
            begun.set()
            await go_on.wait()
            yield b'["x = 1"]}'

        async with client(app) as here:
            headers = {"content-type": "application/json"}
            slow = asyncio.create_task(here.post("/infer", content=body(), headers=headers))
            await begun.wait()
            quick = await here.post("/infer", json=INFER)
            go_on.set()
            return quick.status_code, (await slow).status_code

    assert asyncio.run(asked()) == (200, 200)


def test_signs_of_life_need_no_place(tmp_path: Path) -> None:
    async def asked() -> int:
        async with client(guarded(Slow(), Places(0), tmp_path)) as here:
            return (await here.get("/health")).status_code

    assert asyncio.run(asked()) == 200


def test_a_place_is_free_when_its_request_has_ended_however_it_did(tmp_path: Path) -> None:
    async def asked() -> list[int]:
        async with client(guarded(Slow(), Places(1), tmp_path)) as here:
            return [(await here.post("/infer", json=body)).status_code for body in (INFER, {"inputs": []}, INFER)]

    assert asyncio.run(asked()) == [200, 422, 200]


def test_a_pipeline_leaves_its_place_to_others_while_the_llm_writes(tmp_path: Path) -> None:
    async def asked() -> tuple[int, dict[str, Any], int]:
        slow, places = Slow(), Places(1)
        async with client(guarded(slow, places, tmp_path)) as here:
            pipeline = asyncio.create_task(here.post("/v1/pipeline", json=PIPELINE))
            await slow.requirements.wait()
            meanwhile = await here.post("/infer", json=INFER)
            slow.go_on.set()
            return meanwhile.status_code, (await pipeline).json(), places.taken

    assert asyncio.run(asked()) == (200, {"answer": "b"}, 0)


@pytest.mark.parametrize(
    ("args", "places", "queued"),
    [
        ({}, 32 + 16 + 64, 32 + 16 + 64),  # one gateway, which counts exactly
        ({"gateways": 2}, 32 + 16 + 64, 64),
        ({"model": {"replicas": 2, "max_replicas": 6}}, 6 * (32 + 16) + 64, 64),
    ],
)
def test_no_more_wait_than_were_configured(args: dict[str, Any], places: int, queued: int) -> None:
    gateway: Any = application(args)._bound_deployment
    model: Any = gateway.init_args[2]._bound_deployment
    assert gateway.init_args[3] == places
    assert model._deployment_config.max_queued_requests == queued
