"""The engine on CTranslate2: greedy decoding on CPUs, in fp32 and int8, and in int8 on cards such as the P40.

Its decoder is C++ through and through: on small models one of its steps takes a tenth of the time that PyTorch's calls
take (``python -m jobs.bench engines``). A batch cannot be joined once it runs. So as many batches run at once as there
are processors for them, and what comes meanwhile travels together, a row of sixteen costing less than half of a lone
one; but nobody waits long for a batch to end: then another one is started beside those that run. All batches together
keep to the bound of tokens; rows leave at the step at which they end. The weights are shared.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import ctranslate2

from cetd.config import SamplingConfig
from cetd.config.serve import BatchingConfig
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.generation.continuous import Finish
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.translator import write_translator
from cetd.serving.engine import Call, Engine, EngineStoppedError, step_back, tell

log = logging.getLogger(__name__)

# How long requests gather behind batches that keep all processors busy.
_PATIENCE_S = 0.03

COMPUTE_TYPES = {"fp32": "float32", "int8": "int8"}


def serves(sampling: SamplingConfig) -> bool:
    """Whether this engine can write so: its random numbers are the process's, and a draw's seed is to be its own."""
    return sampling.temperature == 0


class TranslatingEngine(Engine):
    """Holds a translator and its threads, each of which decodes one batch at a time."""

    def __init__(
        self,
        model: EncoderDecoder,
        tokenizer: Tokenizer,
        batching: BatchingConfig,
        precision: str,
        device: str,
        threads: int,
    ) -> None:
        """``threads`` are for all batches together; ``precision`` is one of :data:`COMPUTE_TYPES`."""
        super().__init__(tokenizer)
        self._batching, self._processors = batching, max(1, threads)
        workers = 2 * self._processors
        with tempfile.TemporaryDirectory() as converted:
            self._names = write_translator(model, tokenizer.tokens, Path(converted))
            make = partial(
                ctranslate2.Translator,
                converted,
                device=device,
                compute_type=COMPUTE_TYPES[precision],
                inter_threads=workers,
                intra_threads=1,
            )
            # Its own threads have the niceness of the one that makes it.
            with ThreadPoolExecutor(1, initializer=step_back) as behind:
                self._translator = behind.submit(make).result()
        self._change = threading.Condition()
        # All below are guarded by it.
        self._waiting: deque[Call] = deque()
        self._batches = self._rows = self._tokens = 0
        self._closing = self._broken = False
        self._threads = [
            threading.Thread(target=self._decode_for_ever, name=f"translator-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def load(self) -> tuple[int, int]:
        with self._change:
            return len(self._waiting), self._rows

    @property
    def alive(self) -> bool:
        with self._change:
            return not (self._broken or self._closing)

    def close(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        self._translator.unload_model()

    def _submit(self, call: Call) -> None:
        with self._change:
            if self._broken or self._closing:
                raise EngineStoppedError
            self._waiting.append(call)
            self._change.notify()

    def _withdraw(self, call: Call) -> None:
        with self._change:
            if call in self._waiting:
                self._waiting.remove(call)
            call.ended = True  # which the next step of its row sees

    def _decode_for_ever(self) -> None:
        step_back()
        batch: list[Call] = []
        try:
            while batch := self._next():
                self._decode(batch)
                self._left(batch)
        except Exception:
            log.exception("a batch cannot be decoded")
            with self._change:
                self._broken = True
                lost = [*batch, *self._waiting]
                self._waiting.clear()
            tell((call, EngineStoppedError()) for call in lost if not call.ended)

    def _next(self) -> list[Call]:
        """The next batch, a fair share of what waits; empty once the engine closes and nothing is left."""
        with self._change:
            while not (batch := self._taken()):
                if self._broken or (self._closing and not self._waiting):
                    return []
                # Where patience is at an end, it is a batch's end that makes room.
                self._change.wait(self._patience() or None)
            self._batches += 1
            self._rows += len(batch)
            self._tokens += _held(batch)
            return batch

    def _patience(self) -> float:
        """Seconds for which the first in the queue may still be left to wait; 0 where nobody waits."""
        return max(0.0, self._waiting[0].asked + _PATIENCE_S - time.monotonic()) if self._waiting else 0.0

    def _taken(self) -> list[Call]:
        spare = self._processors - self._batches
        if not self._waiting or (spare <= 0 and self._patience() > 0):
            return []
        share = -(-len(self._waiting) // max(1, spare))
        batch: list[Call] = []
        while self._waiting and len(batch) < min(share, self._batching.max_rows - self._rows):
            if self._tokens + _held([*batch, self._waiting[0]]) > self._batching.max_batch_tokens:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _left(self, batch: list[Call]) -> None:
        with self._change:
            self._batches -= 1
            self._rows -= len(batch)
            self._tokens -= _held(batch)
            self._change.notify_all()

    def _decode(self, batch: list[Call]) -> None:
        began = time.monotonic()

        def drawn(step: ctranslate2.GenerationStepResult) -> bool:
            """Tell the caller of a token; whether its row is to end here."""
            call = batch[step.batch_id]
            if call.ended:
                return True
            finish = _finish(call, step.token_id)
            events = call.draw(step.token_id, finish, began, time.monotonic())
            if events:
                tell((call, event) for event in events)
            return finish is not None

        self._translator.translate_batch(
            [[self._names[token] for token in call.request.tokens] for call in batch],
            beam_size=1,
            max_input_length=0,
            max_decoding_length=max(call.request.sampling.max_new_tokens for call in batch),
            min_decoding_length=0,
            return_end_token=True,
            callback=drawn,
        )
        silent = [call for call in batch if not call.ended]
        assert not silent, "every row ends with a token that says so"


def _finish(call: Call, token: int) -> Finish | None:
    if token == EOS_ID:
        return "stop"
    return "length" if len(call.tokens) + 1 == call.request.sampling.max_new_tokens else None


def _held(batch: list[Call]) -> int:
    """Tokens that a batch's caches hold, padding included."""
    if not batch:
        return 0
    source = max(len(call.request.tokens) for call in batch)
    return len(batch) * (source + max(call.request.sampling.max_new_tokens for call in batch))
