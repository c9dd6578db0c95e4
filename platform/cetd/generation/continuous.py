"""Continuous batching for the encoder-decoder: requests join and leave the running decode batch at every step.

All rows of the batch write their keys and values at the same column of the cache, the step's; a row differs from its
neighbours only in the column that it began at. So the relative position of two columns is the same in every row, one
bias serves all of them, and a step costs what it costs in a batch that began together. Orca (Yu et al. 2022, section 4)
has the scheduling. Rows are bounded by the tokens that the caches hold, padding included.

A row's tokens are those it has when it decodes alone: its draws depend on its own seed and logits. Knows nothing of
text, clocks or threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Literal

import torch
from torch import Tensor

from cetd.config import SamplingConfig
from cetd.generation.row_caches import RowCaches
from cetd.generation.sampling import draw
from cetd.models.encoder_decoder import EncoderDecoder

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Request:
    """What to write after: the source's tokens; ``sampling`` says how, and how many tokens at most."""

    tokens: tuple[int, ...]
    sampling: SamplingConfig
    seed: int = 0

    @property
    def length(self) -> int:
        """Tokens that its row of the caches has to hold."""
        return len(self.tokens) + self.sampling.max_new_tokens


@dataclass(frozen=True)
class Drawn:
    """A token of a request; ``finish`` says why it was the last one (``stop``: it is the end of the sequence)."""

    key: int
    token: int
    finish: Finish | None


@dataclass
class _Row:
    key: int
    request: Request
    last: int
    drawn: int = 0


class ContinuousBatch:
    """The waiting requests, the running rows and their caches. Not for use by several threads at once."""

    def __init__(
        self, model: EncoderDecoder, *, eos_id: int, pad_id: int, max_rows: int, max_batch_tokens: int
    ) -> None:
        """``pad_id`` is the first decoder input; see :class:`cetd.config.serve.BatchingConfig` for the bounds."""
        self._model, self._eos_id, self._pad_id = model.eval(), eos_id, pad_id
        self._max_rows, self._max_batch_tokens = max_rows, max_batch_tokens
        self._waiting: deque[tuple[int, Request]] = deque()
        self._rows: list[_Row] = []
        self._caches = RowCaches(model)

    @property
    def waiting(self) -> int:
        """Requests that have not joined yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Rows of the batch."""
        return len(self._rows)

    def add(self, key: int, request: Request) -> None:
        """Queue a request; it joins at the next step that has room, in the order of arrival.

        Raises:
            ValueError: it has no tokens, or is longer than the whole batch may be.
        """
        if not request.tokens:
            raise ValueError("tokens: none given; an encoder needs at least one")
        if request.length > self._max_batch_tokens:
            raise ValueError(
                f"tokens: {len(request.tokens)} to read and {request.sampling.max_new_tokens} to write exceed "
                f"max_batch_tokens={self._max_batch_tokens}"
            )
        self._waiting.append((key, request))

    @torch.inference_mode()
    def cancel(self, key: int) -> None:
        """Forget a request, waiting or running; its row is free for the next step. Unknown keys are left alone."""
        self._waiting = deque(one for one in self._waiting if one[0] != key)
        for place, row in enumerate(self._rows):
            if row.key == key:
                self._leave([place])
                return

    @torch.inference_mode()
    def step(self) -> list[Drawn]:
        """Let requests join, and draw the next token of every row."""
        self._join()
        if not self._rows:
            return []
        last = torch.tensor([row.last for row in self._rows], device=self._caches.device)
        drawn = self._draw(self._caches.step(last))
        events = []
        for row, token in zip(self._rows, drawn, strict=True):
            row.last, row.drawn = token, row.drawn + 1
            events.append(Drawn(row.key, token, self._finish(row)))
        self._leave([place for place, event in enumerate(events) if event.finish])
        return events

    def _finish(self, row: _Row) -> Finish | None:
        if row.last == self._eos_id:
            return "stop"
        return "length" if row.drawn == row.request.sampling.max_new_tokens else None

    def _join(self) -> None:
        """As many of the waiting requests as the bounds allow, first come first served."""
        count = self._room()
        if not count:
            return
        joining = [self._waiting.popleft() for _ in range(count)]
        newest = [request for _, request in joining]
        longest = max(request.sampling.max_new_tokens for request in (*self._requests(), *newest))
        self._caches.join([request.tokens for request in newest], longest)
        self._rows += (_Row(key, request, self._pad_id) for key, request in joining)

    def _room(self) -> int:
        """How many of the waiting requests fit: the caches are as long as the longest source and the longest answer."""
        requests = self._requests()
        count = 0
        for _, request in islice(self._waiting, self._max_rows - len(requests)):
            requests.append(request)
            source = max(len(one.tokens) for one in requests)
            answer = max(one.sampling.max_new_tokens for one in requests)
            if len(requests) * (source + answer) > self._max_batch_tokens:
                break
            count += 1
        return count

    def _requests(self) -> list[Request]:
        return [row.request for row in self._rows]

    def _leave(self, places: Sequence[int]) -> None:
        """Rows leave; the last ones take their places."""
        for place in reversed(places):
            self._caches.leave(place)
            self._rows[place] = self._rows[-1]
            self._rows.pop()

    def _draw(self, logits: Tensor) -> list[int]:
        """A token for each row of ``logits`` (rows, vocabulary), rows of equal sampling together."""
        rows = self._rows
        if all(row.request.sampling.temperature == 0 for row in rows):
            return logits.argmax(-1).tolist()
        drawn = [0] * len(rows)
        by_sampling = sorted(range(len(rows)), key=lambda place: rows[place].request.sampling.model_dump_json())
        for sampling, grouped in groupby(by_sampling, key=lambda place: rows[place].request.sampling):
            places = list(grouped)
            seeds = torch.tensor([rows[place].request.seed for place in places], device=logits.device)
            steps = torch.tensor([rows[place].drawn for place in places], device=logits.device)
            tokens = draw(logits[places], sampling, seeds, steps).tolist()
            for place, token in zip(places, tokens, strict=True):
                drawn[place] = token
        return drawn
