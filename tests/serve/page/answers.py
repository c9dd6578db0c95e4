"""An application that speaks the gateway's HTTP, with answers that a test chooses: for the page's own logic.

It reads bodies with the gateway's own types and refuses in its words, so that a page that asks wrongly fails here too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import serve
from cetd.data.prompts import program_from
from cetd.serving.answers import items
from serve.bodies import FeedbackBody, PipelineBody, RequirementsBody
from serve.refusals import RefusedError, invalid
from serve.routes import FILES

PAGE = Path(serve.__file__).parent / "page"
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
OPEN = {"/", "/page.css", "/page.js", "/favicon.ico", "/health", "/ready"}
# So small that events and characters of several bytes are cut in two.
CUT_BYTES = 7
LOOK_EVERY_S = 0.005

REQUIREMENTS = (
    "<FUNCTIONAL_REQ> Return the prices above a limit, größte zuerst\n"
    "<FUNCTIONAL_REQ> Leave the list that was given as it is\n"
    "<NON_FUNCTIONAL_REQ> Time grows with n log n\n"
    "<CONSTRAINT> A limit below zero is a ValueError\n"
    "<API_CALL> sorted(prices, reverse=True)\n"
    "<CLASS_DEF> class Basket(prices)\n"
    "<FUNCTION_DEF> def above(prices: list[float], limit: float) -> list[float]\n"
)
ANSWER = "Here it is:\n```python\ndef above(prices, limit):\n    return sorted(p for p in prices if p > limit)\n```\n"


@dataclass
class Answers:
    """What the application says, and what it was told; tests change it between requests."""

    requirements: str = REQUIREMENTS
    answer: str = ANSWER
    llms: tuple[str, ...] = ("alder", "birch")
    key: str | None = None
    refusal: RefusedError | None = None
    # Streams end after their first half: with an event `error`, or without any word.
    ends: Literal["error", "silence"] | None = None
    # Streams wait after so many pieces, until `held` is false.
    hold_after: int | None = None
    held: bool = False
    cached: bool = False
    finish: Literal["stop", "length"] = "stop"
    records: bool = True
    ready: bool = True
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    abandoned: int = 0
    _ids: int = 0

    def next_id(self) -> str:
        self._ids += 1
        return f"{self._ids:08x}-51ab-4cde-9f01-23456789abcd"

    def hold(self, after: int) -> None:
        self.hold_after, self.held = after, True

    def let_go(self) -> None:
        self.held = False


class Guarded:
    """Around the application: request ids, the key, and the headers of every answer."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app, self._answers = app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, key = Headers(scope=scope), self._answers.key
        request_id = headers.get("x-request-id") or self._answers.next_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({"x-request-id": request_id, "content-security-policy": POLICY})
            await send(message)

        if key and scope["path"] not in OPEN and headers.get("authorization") != f"Bearer {key}":
            refusal = RefusedError(HTTPStatus.UNAUTHORIZED, "unauthorized", "give an API key")
            await refusal.response()(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)


def app(answers: Answers) -> ASGIApp:
    """The application."""
    app = FastAPI()
    app.exception_handler(RefusedError)(lambda _, refusal: refusal.response())
    app.exception_handler(RequestValidationError)(lambda _, error: invalid(error).response())

    @app.post("/v1/requirements")
    async def requirements(body: RequirementsBody, request: Request) -> Response:
        return _answer(answers, body, request)

    @app.post("/v1/pipeline")
    async def pipeline(body: PipelineBody, request: Request) -> Response:
        return _answer(answers, body, request)

    @app.post("/v1/feedback")
    async def feedback(body: FeedbackBody, request: Request) -> dict[str, Any]:
        answers.asked.append((request.url.path, body.model_dump(exclude_unset=True)))
        if not answers.records:
            raise RefusedError(HTTPStatus.CONFLICT, "recording_is_off", "requests are not recorded here")
        return {"request_id": body.request_id, "recorded": True}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in answers.llms]}

    @app.get("/ready")
    async def ready() -> Response:
        if not answers.ready:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "no token yet", retry_after_s=1)
        return JSONResponse({"status": "ready", "model": "cetd", "model_version": "cetd:3"})

    for path, file in FILES.items():
        app.get(path)(_file(file))
    return Guarded(app, answers)


def _file(name: str) -> Any:
    async def file() -> FileResponse:
        return FileResponse(PAGE / name)

    return file


def _answer(answers: Answers, body: RequirementsBody | PipelineBody, request: Request) -> Response:
    answers.asked.append((request.url.path, body.model_dump(exclude_unset=True)))
    if answers.refusal:
        raise answers.refusal
    return StreamingResponse(_bytes(answers, body, request.state.request_id), media_type="text/event-stream")


async def _bytes(answers: Answers, body: RequirementsBody | PipelineBody, request_id: str) -> AsyncIterator[bytes]:
    events = list(_events(answers, body, request_id))
    if answers.ends:
        events = events[: len(events) // 2]
    if answers.ends == "error":
        events.append(("error", {"error": {"code": "model_unavailable", "message": "the model is restarting"}}))
    try:
        for count, (name, data) in enumerate(events):
            while answers.held and count == answers.hold_after:
                await asyncio.sleep(LOOK_EVERY_S)
            sent = f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
            for at in range(0, len(sent), CUT_BYTES):
                yield sent[at : at + CUT_BYTES]
    except (asyncio.CancelledError, GeneratorExit):
        answers.abandoned += 1
        raise


def _events(
    answers: Answers, body: RequirementsBody | PipelineBody, request_id: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    text = answers.requirements
    for piece in _pieces(text):
        yield "token", {"text": piece}
    written = {
        "id": request_id,
        "model": "cetd",
        "model_version": "cetd:3",
        "text": text,
        "items": items(text),
        "finish_reason": answers.finish,
        "cached": answers.cached,
        "usage": {"input_tokens": 48, "output_tokens": 96},
        "timings": dict.fromkeys(("queue_ms", "first_token_ms", "total_ms"), 0.0)
        if answers.cached
        else {"queue_ms": 0.4, "first_token_ms": 12.5, "total_ms": 1234.5},
    }
    if not isinstance(body, PipelineBody):
        yield "done", written
        return
    yield "requirements", written
    for piece in _pieces(answers.answer):
        yield "answer_token", {"text": piece}
    yield (
        "done",
        {
            "id": request_id,
            "requirements": written,
            "llm": body.llm,
            "answer": answers.answer,
            "program": program_from(answers.answer),
            "timings": {"requirements_ms": 1234.5, "answer_ms": 2345.6, "total_ms": 3580.1},
        },
    )


def _pieces(text: str) -> list[str]:
    """In pieces that cut tags and words."""
    return [text[at : at + 11] for at in range(0, len(text), 11)]
