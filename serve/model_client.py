"""Calls of the model's deployment: with a deadline, repeated once where a replica died, and refusals for what is left.

A call names all that its answer depends on, so that repeating it on another replica gives the same one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TypeVar

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from cetd.config.serve import LimitsConfig
from cetd.serving.answers import Answer, Ask, Piece, Text, TooLong
from cetd.serving.engine import EngineStoppedError
from serve.refusals import RefusedError, late, overloaded, unavailable

log = logging.getLogger("ray.serve")

# What another replica may do better.
_LOST = (RayActorError, EngineStoppedError)
TRIES = 2

Event = TypeVar("Event", Answer, str | Piece | Text)


class ModelClient:
    """The handle, and how long to wait for it."""

    def __init__(self, model: DeploymentHandle, limits: LimitsConfig) -> None:
        self._model, self._limits = model, limits
        self._streaming = model.options(stream=True)

    async def answer(self, ask: Ask, deadline_s: float) -> Answer:
        """The texts for a request.

        Raises:
            RefusedError: an input is too long, the queue is full, the deadline passed, or replica after replica died.
        """
        for again in reversed(range(TRIES)):
            response = self._model.answer.remote(ask)
            try:
                async with asyncio.timeout(deadline_s):
                    answer = await response
            except TimeoutError:
                response.cancel()
                raise late(deadline_s) from None
            except BackPressureError:
                raise overloaded(self._limits.retry_after_s) from None
            except (*_LOST, DeploymentUnavailableError) as error:
                self._lost(error, again)
            else:
                return _written(answer)
        raise AssertionError("the last try returns or raises")

    async def stream(self, ask: Ask, deadline_s: float) -> AsyncIterator[str | Piece | Text]:
        """The version that writes, pieces, and the whole text; repeated only as long as nothing was told.

        Raises:
            RefusedError: as :meth:`answer`.
        """
        for again in reversed(range(TRIES)):
            response: DeploymentResponseGenerator[str | Piece | Text | TooLong] = self._streaming.stream.remote(ask)  # type: ignore[assignment]
            told = False
            try:
                async with asyncio.timeout(deadline_s):
                    async for event in response:
                        # The version comes first, and is no news of the text.
                        told = told or not isinstance(event, str)
                        yield _written(event)
                return
            except TimeoutError:
                raise late(deadline_s) from None
            except BackPressureError:
                raise overloaded(self._limits.retry_after_s) from None
            except (*_LOST, DeploymentUnavailableError) as error:
                self._lost(error, again=again and not told)
            finally:
                response.cancel()

    async def ready(self, timeout_s: float) -> str | None:
        """The version that answers; None where none does within the time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._model.ready.remote()
        except (TimeoutError, BackPressureError, DeploymentUnavailableError, *_LOST):
            return None

    def _lost(self, error: Exception, again: int) -> None:
        log.warning("a replica of the model was lost (%s)%s", type(error).__name__, ", asking another" if again else "")
        if not again:
            raise unavailable(self._limits.retry_after_s) from None


def _written(event: Event | TooLong) -> Event:
    if not isinstance(event, TooLong):
        return event
    if not event.tokens:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field", "the input is empty", f"inputs.{event.place}"
        )
    raise RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "input_too_long",
        f"the input has {event.tokens} tokens and at most {event.limit} are read: send less code",
        limit=event.limit,
    )
