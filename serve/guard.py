"""What every request passes before a route sees it: id, headers, key, rate, room, size; after it, a line in the log.

Plain ASGI, so that streams stay streams. Bodies and keys are never logged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from ray.serve import metrics
from ray.serve._private.constants import RAY_SERVE_ENABLE_HA_PROXY
from ray.serve.context import _get_global_client
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cetd.config.serve import AccessConfig
from cetd.serving.api_keys import KeyRing
from cetd.serving.places import Place, Places
from cetd.serving.rate_limit import RateLimit
from serve.refusals import RefusedError, overloaded, too_large

log = logging.getLogger("ray.serve")

REQUEST_ID = "x-request-id"
# With these a client would switch off Serve's timeout and its watch for clients that go away.
SWITCHES = ("x-request-timeout-seconds", "x-request-disconnect-disabled")
# What may be asked without a key: signs of life, and the page, which asks for one.
OPEN = frozenset({"/", "/page.css", "/page.js", "/favicon.ico", "/health", "/ready"})
METRICS = "/metrics"
# What the model has to write for.
WRITING = frozenset({"/infer", "/v1/requirements", "/v1/pipeline"})
# In the folder of all runs.
KEYS = "keys.json"
_FIT_FOR_AN_ID = re.compile(r"^[\w.:-]{1,128}$", re.ASCII)
_SECURITY = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
# The page of the OpenAPI document has its script and style elsewhere.
_DOCS = frozenset({"/docs", "/redoc"})


@dataclass(frozen=True)
class Room:
    """Places, and when to come back where there is none."""

    places: Places
    retry_after_s: int

    def check(self) -> None:
        """Before a body is read: under overload, what refusing costs is taken from those who are served.

        Raises:
            RefusedError: all places are taken.
        """
        if self.places.full:
            raise overloaded(self.retry_after_s)

    def take(self) -> Place:
        """A place, once the body is there: who sends slowly takes none from others.

        Raises:
            RefusedError: all are taken.
        """
        self.check()
        return self.places.take()


class Guard:
    """An ASGI application around another."""

    def __init__(
        self, app: ASGIApp, access: AccessConfig, max_body_bytes: int, runs: Path, room: Room | None = None
    ) -> None:
        """To be made in the replica: whether keys are asked for depends on where Serve listens.

        With ``room``, requests of :data:`WRITING` find their place in ``state.place``, and are refused without one.

        Raises:
            ValueError: the file of API keys cannot be used.
        """
        self._app, self._access, self._max_body_bytes, self._room = app, access, max_body_bytes, room
        self._ring = KeyRing.load(access.keys_file or runs / KEYS) if _asks_for_keys(access) else None
        self._rate = RateLimit(access.requests_per_minute, access.burst, time.monotonic)
        self._requests = metrics.Counter(
            "cetd_requests_total",
            "Requests by route and status",
            tag_keys=("path", "status"),  # type: ignore[arg-type]
        )
        self._seconds = metrics.Histogram(
            "cetd_request_seconds",
            "From a request's arrival to the end of its answer",
            boundaries=[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
            tag_keys=("path",),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, path = time.monotonic(), _path(scope)
        headers = Headers(scope=scope)
        # Serve's proxy makes one where the client has none, and names it in the answer.
        request_id = headers.get(REQUEST_ID, "")
        scope.setdefault("state", {})["request_id"] = request_id
        status, holder = 0, None
        place: Place | None = None

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if path not in _DOCS:
                    MutableHeaders(scope=message).update(_SECURITY)
            if place and message["type"] == "http.response.body" and not message.get("more_body", False):
                place.give_back()  # before the client knows that it may ask again
            await send(message)

        try:
            holder = self._admit(scope, headers)
            room = self._room if path in WRITING else None
            if room:
                room.check()
            body = await _whole(receive, self._max_body_bytes)
            if room:
                place = scope["state"]["place"] = room.take()
            await self._app(scope, body, answer)
        except RefusedError as refusal:
            await refusal.response()(scope, receive, answer)
        except asyncio.CancelledError:
            status = 499  # as nginx has it: the client went away
            raise
        finally:
            if place:
                place.give_back()
            self._note(scope, request_id, status, holder, time.monotonic() - began)

    def _admit(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """The name of the key's holder.

        Raises:
            RefusedError: no key or a wrong one, too many requests, or a header that is not for clients.
        """
        for name in SWITCHES:
            if name in headers:
                raise RefusedError(
                    HTTPStatus.BAD_REQUEST, "header_refused", f"header {name} is not for clients: leave it out"
                )
        if not _FIT_FOR_AN_ID.match(headers.get(REQUEST_ID, "")):
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "header_refused", f"header {REQUEST_ID}: 1 to 128 letters, digits and _.:-"
            )
        path = _path(scope)
        if path == METRICS and self._access.metrics != "key":
            if self._access.metrics == "loopback" and not _is_from_here(scope):
                raise RefusedError(
                    HTTPStatus.FORBIDDEN, "forbidden", "metrics are for this machine: see access.metrics"
                )
            return None
        if path in OPEN or (self._ring is None and path != METRICS):
            return None
        self._ring = self._ring.refreshed() if self._ring else None
        presented = headers.get("authorization", "").removeprefix("Bearer ")
        holder = self._ring.holder(presented) if self._ring else None
        if holder is None or (path == METRICS and not holder.admin):
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "unauthorized", "give an API key: Authorization: Bearer cetd-… (see jobs.keys)"
            )
        wait = self._rate.take(holder.name, holder.requests_per_minute)
        if wait > 0:
            seconds = math.ceil(wait)
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate_limited",
                f"this key's rate is used up: try again in {seconds} s",
                retry_after_s=seconds,
            )
        return holder.name

    def _note(self, scope: Scope, request_id: str, status: int, holder: str | None, seconds: float) -> None:
        # The path of a route that exists: of others there is no end.
        route = scope.get("route")
        asked = _path(scope)
        path = getattr(route, "path", None) or (asked if asked in WRITING else "other")
        self._requests.inc(tags={"path": path, "status": str(status)})
        self._seconds.observe(seconds, tags={"path": path})
        line = {
            "request_id": request_id,
            "method": scope["method"],
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "key": holder,
        }
        log.info("%s", json.dumps(line))


async def _whole(receive: Receive, limit: int) -> Receive:
    """The body read to its end, for the application to receive at once, and then what follows it.

    Raises:
        RefusedError: it is larger than ``limit`` bytes.
    """
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise too_large(limit)
    first: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def _asks_for_keys(access: AccessConfig) -> bool:
    return not _listens_here_only() if access.keys == "auto" else access.keys == "required"


def _listens_here_only() -> bool:
    client = _get_global_client()
    return _is_loopback((client.http_config.host if client else None) or "")


def _is_from_here(scope: Scope) -> bool:
    """Whether this machine asks. Behind HAProxy, where every request seems to, only if nobody else can."""
    if RAY_SERVE_ENABLE_HA_PROXY:
        return _listens_here_only()
    return _is_loopback((scope.get("client") or ("",))[0])


def _path(scope: Scope) -> str:
    """The path below the application's own prefix."""
    return scope["path"].removeprefix(scope.get("root_path", "").rstrip("/")) or "/"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
