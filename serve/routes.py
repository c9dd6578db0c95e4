"""The routes of the gateway, its OpenAPI document, and the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from serve.bodies import FeedbackBody, InferBody, PipelineBody, RequirementsBody
from serve.exported_metrics import exported
from serve.refusals import RefusedError, invalid, other

if TYPE_CHECKING:
    from cetd.serving.places import Place
    from serve.gateway import Event, Gateway

PAGE = Path(__file__).parent / "page"
FILES = {"/": "index.html", "/page.css": "page.css", "/page.js": "page.js", "/favicon.ico": "icon.svg"}


def routes(gateway: Gateway) -> FastAPI:
    """The application."""

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        await gateway.close()

    description = "Requirements of source code, and programs rebuilt from them."
    app = FastAPI(title="CET-D", description=description, lifespan=living)

    # Coroutines: plain functions would each go to a thread.
    @app.exception_handler(RefusedError)
    async def _(_: Request, refusal: RefusedError) -> Response:
        return refusal.response()

    @app.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> Response:
        return invalid(error).response()

    @app.exception_handler(HTTPException)
    async def _(_: Request, error: HTTPException) -> Response:
        return other(error).response()

    @app.post("/v1/requirements", summary="Structured requirements of code")
    async def requirements(body: RequirementsBody, request: Request) -> Response:
        if body.stream:
            return await _streamed(_renamed(gateway.requirements_events(body, _id(request))))
        return JSONResponse(await gateway.requirements(body, _id(request)))

    @app.post("/infer", summary="What the model writes for each text")
    async def infer(body: InferBody, request: Request) -> Response:
        return JSONResponse(await gateway.infer(body, _id(request)))

    @app.post("/v1/pipeline", summary="Requirements of code, and the program that an LLM writes from them")
    async def pipeline(body: PipelineBody, request: Request) -> Response:
        events = _leaving(request.state.place, gateway.pipeline_events(body, _id(request)))
        if body.stream:
            return await _streamed(events)
        *_, (_, whole) = [event async for event in events]
        return JSONResponse(whole)

    @app.post("/v1/feedback", summary="A verdict on a request that was served")
    async def feedback(body: FeedbackBody) -> dict[str, Any]:
        return await asyncio.to_thread(gateway.feedback, body)

    @app.get("/v1/models", summary="The reconstruction LLMs")
    async def models() -> dict[str, Any]:
        return gateway.endpoints.models()

    @app.post("/v1/completions", summary="OpenAI completions of a reconstruction LLM")
    async def completions(request: Request) -> Response:
        return await gateway.endpoints.forward(request, "completions")

    @app.post("/v1/chat/completions", summary="OpenAI chat completions of a reconstruction LLM")
    async def chat_completions(request: Request) -> Response:
        return await gateway.endpoints.forward(request, "chat/completions")

    @app.get("/health", summary="Whether the gateway is alive")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/ready", summary="Whether the model has written a token, and which version it is")
    async def ready() -> dict[str, str]:
        return {"status": "ready", "model": gateway.config.model.name, "model_version": await gateway.ready()}

    @app.get("/metrics", summary="Prometheus metrics of all replicas")
    async def metrics() -> Response:
        return Response(await exported(), media_type="text/plain; version=0.0.4")

    for path, file in FILES.items():
        app.get(path, include_in_schema=False)(_file(PAGE / file))
    return app


def _id(request: Request) -> str:
    return request.state.request_id


def _file(path: Path) -> Any:
    async def file() -> FileResponse:
        return FileResponse(path, headers={"cache-control": "no-cache"})

    return file


async def _leaving(place: Place, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The events; once the requirements are written, the place at the model is another's."""
    async for name, data in events:
        if name == "requirements":
            place.give_back()
        yield name, data


async def _renamed(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The last event of a stream is ``done``, whatever the stream is of."""
    async for name, data in events:
        yield ("done" if name == "requirements" else name), data


async def _streamed(events: AsyncIterator[Event]) -> Response:
    """Events as they come; what is refused before the first one is an ordinary answer, with its status."""
    first = await anext(aiter(events))
    return StreamingResponse(
        _sent(first, events), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _sent(first: Event, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    yield _event(*first)
    try:
        async for name, data in events:
            yield _event(name, data)
    except RefusedError as refusal:
        yield _event("error", refusal.body())


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
