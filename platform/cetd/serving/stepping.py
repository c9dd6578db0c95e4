"""The engine that steps a :class:`ContinuousBatch`: requests join and leave at every step."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable

from cetd.data.tokenizer import Tokenizer
from cetd.generation.continuous import ContinuousBatch
from cetd.serving.engine import Call, Engine, EngineStoppedError, step_back, tell

log = logging.getLogger(__name__)


class SteppingEngine(Engine):
    """Holds a batch and the one thread that steps it."""

    def __init__(self, batch: ContinuousBatch, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self._batch = batch
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        # Of the stepping thread alone.
        self._calls: dict[int, Call] = {}
        self._keys = itertools.count()
        self._thread = threading.Thread(target=self._step_for_ever, name="batch-steps", daemon=True)
        self._thread.start()

    @property
    def load(self) -> tuple[int, int]:
        return self._batch.waiting, self._batch.running

    @property
    def alive(self) -> bool:
        return not self._stopped.is_set()

    def close(self) -> None:
        self._commands.put(None)
        self._thread.join()

    def _submit(self, call: Call) -> None:
        self._commands.put(lambda: self._add(call))
        # In this order: what is put before the thread stops, the thread sees.
        if self._stopped.is_set():
            raise EngineStoppedError

    def _withdraw(self, call: Call) -> None:
        self._commands.put(lambda: self._forget(call))

    def _step_for_ever(self) -> None:
        step_back()
        closing = False
        try:
            while not (closing and not self._calls):
                closing = self._obey(wait=not self._calls) or closing
                self._step()
        except Exception:
            log.exception("the batch cannot be stepped")
        finally:
            # Callers wait elsewhere and would wait for ever.
            self._stopped.set()
            self._obey(wait=False)
            tell((call, EngineStoppedError()) for call in self._calls.values())

    def _obey(self, wait: bool) -> bool:
        """Carry out what was asked since the last step; whether to end."""
        closing = False
        while wait or not self._commands.empty():
            command = self._commands.get()
            wait = False
            if command is None:
                closing = True
            else:
                command()
        return closing

    def _step(self) -> None:
        began = time.monotonic()
        drawn = self._batch.step()
        now = time.monotonic()
        heard = []
        for one in drawn:
            call = self._calls[one.key]
            heard += ((call, event) for event in call.draw(one.token, one.finish, began, now))
            if one.finish:
                del self._calls[one.key]
        tell(heard)

    def _add(self, call: Call) -> None:
        key = next(self._keys)
        self._calls[key] = call
        self._batch.add(key, call.request)

    def _forget(self, call: Call) -> None:
        for key in [key for key, one in self._calls.items() if one is call]:
            del self._calls[key]
            self._batch.cancel(key)
