"""What serves requests from a loaded model: callers wait in an event loop, threads of the engine draw tokens.

Every call ends exactly once: with a text, with :class:`EngineStoppedError`, or with its caller's cancellation, whose
row is free at the next step. Engines know nothing of HTTP, Ray or versions.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from cetd.data.tokenizer import Tokenizer
from cetd.generation.continuous import Finish, Request
from cetd.serving.answers import Piece, Text

# What decoding makes of a character whose last bytes have not been drawn yet.
_INCOMPLETE = "\ufffd"
# The most tokens that one character takes, a byte each.
_LONGEST_CHARACTER = 4
# Unix's niceness: what is added, and the most there is.
_STEP_BACK, _NICEST = 10, 19


class EngineStoppedError(RuntimeError):
    """An engine's thread has ended; what waits for it will not be answered."""

    def __init__(self) -> None:
        super().__init__("the engine has stopped")


@dataclass(frozen=True)
class End:
    """Nothing more comes."""

    finish: Finish


Event = Piece | End | EngineStoppedError


class Call:
    """One request on its way. Its caller reads ``events``; all else is a thread's of the engine.

    ``asked`` is when the call was made, on the monotonic clock.
    """

    def __init__(self, request: Request, tokenizer: Tokenizer, streams: bool) -> None:
        self.request, self.loop = request, asyncio.get_running_loop()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.tokens: list[int] = []
        self.ended = False
        self._tokenizer, self._streams = tokenizer, streams
        self._unsaid: list[int] = []
        self.asked = self._joined = self._first = time.monotonic()

    def draw(self, token: int, finish: Finish | None, began: float, now: float) -> list[Event]:
        """Note a token; what the caller is to hear of it. ``began`` is when the step that drew it did."""
        if not self.tokens:
            self._joined, self._first = max(began, self.asked), now
        self.tokens.append(token)
        events: list[Event] = []
        if self._streams and (text := self._completed(token, last=finish is not None)):
            events.append(Piece(text))
        if finish:
            self.ended = True
            events.append(End(finish))
        return events

    def text(self, finish: Finish) -> Text:
        """What was written; the times are milliseconds since the call was made."""
        now = time.monotonic()
        return Text(
            text=self._tokenizer.decode(self.tokens),
            finish=finish,
            input_tokens=len(self.request.tokens),
            output_tokens=len(self.tokens),
            queue_ms=(self._joined - self.asked) * 1000,
            first_token_ms=(self._first - self.asked) * 1000,
            total_ms=(now - self.asked) * 1000,
        )

    def _completed(self, token: int, last: bool) -> str:
        """The characters that the token completes."""
        self._unsaid.append(token)
        text = self._tokenizer.decode(self._unsaid)
        if text.endswith(_INCOMPLETE) and not last and len(self._unsaid) < _LONGEST_CHARACTER:
            return ""
        self._unsaid.clear()
        return text


def step_back() -> None:
    """Have this thread, and those that it will start, run behind all others of the machine.

    However busy a model is, what takes requests, hands them on and refuses them is to be on time: else they pile up
    where nobody counts them.
    """
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, min(_NICEST, niceness + _STEP_BACK))


def tell(heard: Iterable[tuple[Call, Event]]) -> None:
    """Hand events to their callers: all of a loop's at once, because waking it costs more than the rest."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Call, Event]]] = {}
    for call, event in heard:
        by_loop.setdefault(call.loop, []).append((call, event))
    for loop, events in by_loop.items():
        loop.call_soon_threadsafe(_put, events)


def _put(events: list[tuple[Call, Event]]) -> None:
    for call, event in events:
        call.events.put_nowait(event)


class Engine(ABC):
    """A model at work."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    async def write(self, request: Request) -> Text:
        """The whole text for a request.

        Raises:
            EngineStoppedError: the engine broke.
        """
        async for event in self._events(request, streams=False):
            if isinstance(event, Text):
                return event
        raise AssertionError("a call ends with its text")

    def stream(self, request: Request) -> AsyncIterator[Piece | Text]:
        """Pieces as they are drawn, whole characters each, and then the whole text; errors as :meth:`write`."""
        return self._events(request, streams=True)

    @property
    @abstractmethod
    def load(self) -> tuple[int, int]:
        """Requests that wait, and rows that decode."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether requests are being answered."""

    @abstractmethod
    def close(self) -> None:
        """Answer what was asked, then free the threads and the model. Blocks."""

    @abstractmethod
    def _submit(self, call: Call) -> None:
        """Have the call answered; raises :class:`EngineStoppedError` where nobody would."""

    @abstractmethod
    def _withdraw(self, call: Call) -> None:
        """Nobody waits for the call any more; it may have ended."""

    async def _events(self, request: Request, streams: bool) -> AsyncIterator[Piece | Text]:
        call = Call(request, self._tokenizer, streams)
        self._submit(call)
        try:
            while True:
                heard = [await call.events.get()]
                # What has come meanwhile travels together: a message costs more than a token.
                while not call.events.empty():
                    heard.append(call.events.get_nowait())
                if said := "".join(event.text for event in heard if isinstance(event, Piece)):
                    yield Piece(said)
                match heard[-1]:
                    case End(finish):
                        yield call.text(finish)
                        return
                    case EngineStoppedError() as stopped:
                        raise stopped
        finally:
            self._withdraw(call)
