"""python -m cetd.evaluation.plain_server --model FOLDER --port N

What a user would write without this platform: the same weights through Hugging Face ``generate`` behind FastAPI and
uvicorn, in one process. Requests that wait are gathered for a few milliseconds and padded into one call of
``generate``; the next batch begins when it has ended. Answers ``POST /infer`` as serve/ does, as far as the benchmark
asks: greedy, without limits, keys or versions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
from transformers import AutoTokenizer, DynamicCache, EncoderDecoderCache, T5ForConditionalGeneration

MAX_ROWS = 32
GATHER_S = 0.005


class InferBody(BaseModel):
    """``POST /infer``."""

    inputs: list[str] = Field(min_length=1)
    max_new_tokens: int = Field(default=32, ge=1)


_TRIAL = [InferBody(inputs=["def f(xs):\n    return sum(xs)\n"] * 8, max_new_tokens=8)]
_TRIALS = 3


@dataclass(frozen=True)
class Written:
    """The texts for a request's inputs, and the tokens read and written for all of them."""

    texts: list[str]
    read: int
    written: int


@dataclass(frozen=True)
class Waiting:
    """A request, and who waits for it."""

    body: InferBody
    written: asyncio.Future[Written]


def growing_cache() -> EncoderDecoderCache:
    """A cache of as many layers as it is given: left to itself, transformers gives the decoder the encoder's depth."""
    return EncoderDecoderCache(DynamicCache(), DynamicCache())


class Generator:
    """The model and its tokenizer."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = T5ForConditionalGeneration.from_pretrained(folder).eval()
        self.calls = 0

    @torch.inference_mode()
    def write(self, bodies: Sequence[InferBody]) -> list[Written]:
        """Answer all requests by one call of ``generate``, which ends when the last row has."""
        self.calls += 1
        texts = [text for body in bodies for text in body.inputs]
        limits = [body.max_new_tokens for body in bodies for _ in body.inputs]
        read = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        drawn: torch.Tensor = self._model.generate(  # type: ignore[assignment]
            input_ids=read["input_ids"],
            attention_mask=read["attention_mask"],
            max_new_tokens=max(limits),
            do_sample=False,
            past_key_values=growing_cache(),
            num_beams=1,
        )
        # Behind the start token, each row up to what it may have and no further than its end.
        rows = [self._ended(row[1 : limit + 1]) for row, limit in zip(drawn.tolist(), limits, strict=True)]
        said = self._tokenizer.batch_decode(rows, skip_special_tokens=True)
        lengths = read["attention_mask"].sum(dim=1).tolist()
        answers, at = [], 0
        for body in bodies:
            mine = slice(at, at + len(body.inputs))
            answers.append(Written(said[mine], sum(lengths[mine]), sum(map(len, rows[mine]))))
            at = mine.stop
        return answers

    def choose_threads(self) -> int:
        """One thread or one per core, whichever is faster on some calls: small models have little to share."""
        seconds = {}
        for count in {1, len(os.sched_getaffinity(0))}:
            torch.set_num_threads(count)
            self.write(_TRIAL)  # what is loaded once
            began = time.perf_counter()
            for _ in range(_TRIALS):
                self.write(_TRIAL)
            seconds[count] = time.perf_counter() - began
        best = min(seconds, key=lambda count: seconds[count])
        torch.set_num_threads(best)
        return best

    def _ended(self, row: list[int]) -> list[int]:
        end = self._tokenizer.eos_token_id
        return row[: row.index(end) + 1] if end in row else row


async def batch_for_ever(queue: asyncio.Queue[Waiting], generator: Generator) -> None:
    """Answer what stands in ``queue``, up to :data:`MAX_ROWS` inputs at a time."""
    held: Waiting | None = None
    while True:
        batch = [held or await queue.get()]
        rows, until, held = len(batch[0].body.inputs), time.monotonic() + GATHER_S, None
        while rows < MAX_ROWS:
            if queue.empty():
                try:
                    one = await asyncio.wait_for(queue.get(), until - time.monotonic())
                except TimeoutError:
                    break
            else:
                one = queue.get_nowait()
            rows += len(one.body.inputs)
            if rows > MAX_ROWS:
                held = one  # begins the next one
            else:
                batch.append(one)
        try:
            answers = await asyncio.to_thread(generator.write, [one.body for one in batch])
        except Exception as error:  # noqa: BLE001 - theirs to hear of; the next batch may fare better
            for one in batch:
                if not one.written.done():
                    one.written.set_exception(error)
            continue
        for one, answer in zip(batch, answers, strict=True):
            if not one.written.done():  # nobody waits for it any more
                one.written.set_result(answer)


def app(generator: Generator) -> FastAPI:
    """The application."""
    queue: asyncio.Queue[Waiting] = asyncio.Queue()

    @asynccontextmanager
    async def batching(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batch_for_ever(queue, generator))
        yield
        task.cancel()

    made = FastAPI(title="Plain", lifespan=batching)

    @made.post("/infer")
    async def infer(body: InferBody) -> dict[str, Any]:
        began = time.perf_counter()
        waiting = Waiting(body, asyncio.get_running_loop().create_future())
        queue.put_nowait(waiting)
        written = await waiting.written
        return {
            "outputs": written.texts,
            "usage": {"input_tokens": written.read, "output_tokens": written.written},
            "timings": {"total_ms": 1000 * (time.perf_counter() - began)},
        }

    @made.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    return made


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="Hugging Face folder with its tokenizer")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args(argv)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    generator = Generator(arguments.model)
    print("threads of PyTorch:", generator.choose_threads(), flush=True)
    uvicorn.run(app(generator), host="127.0.0.1", port=arguments.port, access_log=False)


if __name__ == "__main__":
    main()
