"""What a client is told when it does not get what it asked for: a status, a code, one line, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


@dataclass(eq=False)
class RefusedError(Exception):
    """Ends a request. ``field`` names what is wrong, ``limit`` what is allowed, ``retry_after_s`` when to return."""

    status: HTTPStatus
    code: str
    message: str
    field: str | None = None
    limit: int | None = None
    retry_after_s: int | None = None

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        said = {"code": self.code, "message": self.message, "field": self.field, "limit": self.limit}
        return {"error": {name: value for name, value in said.items() if value is not None}}

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        return JSONResponse(self.body(), self.status, headers)


def invalid(error: RequestValidationError) -> RefusedError:
    """A body that is not as it has to be: the first field that is wrong."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part != "body"]
    if first["type"] == "json_invalid":
        return RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_json", f"the body is not JSON: {first['ctx']['error']}"
        )
    field = ".".join(where)
    message = first["msg"].removeprefix("Value error, ")
    return RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_field",
        f"{field}: {message[0].lower()}{message[1:]}" if field else message,
        field or None,
    )


def other(error: HTTPException) -> RefusedError:
    """What routing refuses: a path or a method that is not there."""
    status = HTTPStatus(error.status_code)
    return RefusedError(status, status.phrase.lower().replace(" ", "_"), str(error.detail))


def too_large(limit: int) -> RefusedError:
    """A body above the limit, in bytes."""
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"the body has more than {limit} bytes: send less, or have limits.max_body_bytes raised",
        limit=limit,
    )


def overloaded(retry_after_s: int) -> RefusedError:
    """The queue is full."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "overloaded",
        f"too many requests wait: try again in {retry_after_s} s",
        retry_after_s=retry_after_s,
    )


def unavailable(retry_after_s: int) -> RefusedError:
    """The model cannot be reached."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "model_unavailable",
        f"the model is restarting: try again in {retry_after_s} s",
        retry_after_s=retry_after_s,
    )


def late(deadline_s: float) -> RefusedError:
    """The deadline has passed."""
    message = f"not finished within {deadline_s:g} s, and given up: ask for fewer tokens"
    return RefusedError(HTTPStatus.GATEWAY_TIMEOUT, "deadline_exceeded", message)
