"""Both engines against rows that decode alone, and what becomes of calls that are cancelled, streamed, or lost."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from cetd.config import SamplingConfig
from cetd.config.serve import BatchingConfig
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.generation.continuous import ContinuousBatch, Request
from cetd.generation.encoder_decoder import generate
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.serving import translating
from cetd.serving.answers import Piece, Text
from cetd.serving.engine import Call, Engine, EngineStoppedError
from cetd.serving.stepping import SteppingEngine
from cetd.serving.translating import TranslatingEngine
from tests.cetd.serving.lively import lively_model

Result = TypeVar("Result")

BATCHING = BatchingConfig(
    max_rows=6, max_batch_tokens=4096, max_input_tokens=256, max_new_tokens=2048, default_new_tokens=16
)
GREEDY = SamplingConfig(temperature=0.0, max_new_tokens=24)
PATIENCE_S = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(params=["stepping", "translating"])
def engine(request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    made = make(request.param, folder)
    yield made
    made.close()


def make(kind: str, folder: Path) -> Engine:
    tokenizer = Tokenizer.load(folder)
    if kind == "translating":
        return TranslatingEngine(loaded(folder), tokenizer, BATCHING, "fp32", "cpu", threads=1)
    return SteppingEngine(running_batch(folder), tokenizer)


def loaded(folder: Path) -> EncoderDecoder:
    model = huggingface.load(folder)
    assert isinstance(model, EncoderDecoder)
    return model.eval()


def running_batch(folder: Path) -> ContinuousBatch:
    return ContinuousBatch(
        loaded(folder),
        eos_id=EOS_ID,
        pad_id=PAD_ID,
        max_rows=BATCHING.max_rows,
        max_batch_tokens=BATCHING.max_batch_tokens,
    )


def sources(folder: Path, count: int) -> list[tuple[int, ...]]:
    tokenizer = Tokenizer.load(folder)
    return [tuple(tokenizer.encode(f"def f{number}(x):\n    return x * {number * 37}\n")) for number in range(count)]


def alone(folder: Path, tokens: tuple[int, ...]) -> tuple[str, int]:
    (row,) = generate(
        loaded(folder),
        torch.tensor([tokens]),
        torch.ones(1, len(tokens), dtype=torch.bool),
        samples=1,
        sampling=GREEDY,
        seeds=torch.zeros(1, dtype=torch.long),
        eos_id=EOS_ID,
        pad_id=PAD_ID,
    )
    return Tokenizer.load(folder).decode(row.tokens), len(row.tokens)


def run(body: Callable[[], Awaitable[Result]]) -> Result:
    async def bounded() -> Result:
        return await asyncio.wait_for(body(), PATIENCE_S)

    return asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_requests_at_once_have_the_texts_that_they_have_alone(engine: Engine, folder: Path) -> None:
    asked = sources(folder, 20)

    async def all_at_once() -> list[Text]:
        return await asyncio.gather(*(engine.write(Request(tokens, GREEDY)) for tokens in asked))

    texts = run(all_at_once)
    assert [(text.text, text.output_tokens) for text in texts] == [alone(folder, tokens) for tokens in asked]
    assert {text.finish for text in texts} == {"stop", "length"}
    for text, tokens in zip(texts, asked, strict=True):
        assert text.input_tokens == len(tokens)
        assert 0 <= text.queue_ms <= text.first_token_ms <= text.total_ms


def test_each_request_writes_as_many_tokens_as_it_asked_for(engine: Engine, folder: Path) -> None:
    (tokens, *_) = [one for one in sources(folder, 20) if alone(folder, one)[1] == GREEDY.max_new_tokens]

    async def different() -> list[Text]:
        samplings = [SamplingConfig(temperature=0.0, max_new_tokens=count) for count in range(1, 8)]
        return await asyncio.gather(*(engine.write(Request(tokens, sampling)) for sampling in samplings))

    assert [text.output_tokens for text in run(different)] == list(range(1, 8))


def test_pieces_make_up_the_text_and_never_cut_a_character(engine: Engine, folder: Path) -> None:
    async def streamed(tokens: tuple[int, ...]) -> tuple[list[str], Text]:
        pieces: list[str] = []
        async for event in engine.stream(Request(tokens, GREEDY)):
            if isinstance(event, Text):
                return pieces, event
            assert isinstance(event, Piece)
            pieces.append(event.text)
        raise AssertionError("no text")

    async def all_at_once() -> list[tuple[list[str], Text]]:
        return await asyncio.gather(*(streamed(tokens) for tokens in sources(folder, 8)))

    for pieces, text in run(all_at_once):
        assert "".join(pieces) == text.text


def test_a_cancelled_request_leaves_at_once(engine: Engine, folder: Path) -> None:
    endless = SamplingConfig(temperature=0.0, max_new_tokens=2000)
    (tokens, *_) = [one for one in sources(folder, 20) if alone(folder, one)[1] == GREEDY.max_new_tokens]

    async def cancelled() -> None:
        tasks = [asyncio.create_task(engine.write(Request(tokens, endless))) for _ in range(10)]
        await until(lambda: engine.load[1] > 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        await until(lambda: engine.load == (0, 0))
        assert (await engine.write(Request(tokens, GREEDY))).output_tokens == GREEDY.max_new_tokens

    run(cancelled)


@pytest.mark.parametrize("kind", ["stepping", "translating"])
def test_a_closing_engine_answers_what_it_was_asked_and_nothing_more(kind: str, folder: Path) -> None:
    engine = make(kind, folder)

    async def closing() -> list[Text]:
        tasks = [asyncio.create_task(engine.write(Request(tokens, GREEDY))) for tokens in sources(folder, 12)]
        await asyncio.sleep(0)
        await asyncio.to_thread(engine.close)
        assert not engine.alive
        with pytest.raises(EngineStoppedError):
            await engine.write(Request((5, 6), GREEDY))
        return await asyncio.gather(*tasks)

    assert len(run(closing)) == 12


def test_callers_learn_of_an_engine_that_breaks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = running_batch(folder)
    engine = SteppingEngine(batch, Tokenizer.load(folder))

    def broken() -> list[object]:
        raise RuntimeError("out of memory")  # cannot be provoked on purpose

    async def lost() -> None:
        endless = SamplingConfig(temperature=0.0, max_new_tokens=2000)
        (tokens, *_) = [one for one in sources(folder, 20) if alone(folder, one)[1] == GREEDY.max_new_tokens]
        tasks = [asyncio.create_task(engine.write(Request(tokens, endless))) for _ in range(3)]
        await until(lambda: engine.load[1] > 0)
        monkeypatch.setattr(batch, "step", broken)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, EngineStoppedError)
        assert not engine.alive
        with pytest.raises(EngineStoppedError):
            await engine.write(Request(tokens, GREEDY))

    run(lost)


def test_int8_writes_the_same_alone_and_in_company(folder: Path) -> None:
    engine = TranslatingEngine(loaded(folder), Tokenizer.load(folder), BATCHING, "int8", "cpu", threads=1)
    asked = sources(folder, 12)

    async def both() -> tuple[list[Text], list[Text]]:
        one_by_one = [await engine.write(Request(tokens, GREEDY)) for tokens in asked]
        return one_by_one, await asyncio.gather(*(engine.write(Request(tokens, GREEDY)) for tokens in asked))

    one_by_one, together = run(both)
    engine.close()
    assert [text.text for text in one_by_one] == [text.text for text in together]


def test_a_short_request_is_not_held_up_by_a_long_one(engine: Engine, folder: Path) -> None:
    (tokens, *_) = [one for one in sources(folder, 20) if alone(folder, one)[1] == GREEDY.max_new_tokens]

    async def overtaking() -> None:
        endless = SamplingConfig(temperature=0.0, max_new_tokens=2000)
        long = asyncio.create_task(engine.write(Request(tokens, endless)))
        await until(lambda: engine.load[1] > 0)
        began = time.monotonic()
        await engine.write(Request(tokens, SamplingConfig(temperature=0.0, max_new_tokens=2)))
        assert not long.done(), time.monotonic() - began
        long.cancel()

    run(overtaking)


@pytest.mark.parametrize(("patience_s", "together"), [(60.0, True), (0.0, False)])
def test_what_comes_while_all_processors_are_busy_travels_together_unless_it_would_wait_too_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float, together: bool
) -> None:
    monkeypatch.setattr(translating, "_PATIENCE_S", patience_s)
    engine = TranslatingEngine(loaded(folder), Tokenizer.load(folder), BATCHING, "fp32", "cpu", threads=1)
    decode, sizes, busy, go = engine._decode, [], threading.Event(), threading.Event()

    def watched(batch: list[Call]) -> None:
        sizes.append(len(batch))
        if len(sizes) == 1:
            busy.set()
            assert go.wait(PATIENCE_S)
        decode(batch)

    monkeypatch.setattr(engine, "_decode", watched)
    first, *rest = (Request(tokens, GREEDY, 0) for tokens in sources(folder, 5))

    async def ask() -> None:
        begun = asyncio.create_task(engine.write(first))
        await asyncio.to_thread(busy.wait, PATIENCE_S)
        others = [asyncio.create_task(engine.write(request)) for request in rest]
        if not together:
            await asyncio.gather(*others)
        await asyncio.sleep(0)  # all are in the queue
        go.set()
        await asyncio.gather(begun, *others)

    asyncio.run(ask())
    engine.close()
    assert sizes[0] == 1
    assert sum(sizes) == 5
    if together:
        assert sizes == [1, 4]


def test_where_no_more_may_decode_nobody_spins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past their patience, requests wait for room without asking for it all the time."""
    monkeypatch.setattr(translating, "_PATIENCE_S", 0.0)
    narrow = BATCHING.model_copy(update={"max_rows": 1})
    engine = TranslatingEngine(loaded(folder), Tokenizer.load(folder), narrow, "fp32", "cpu", threads=2)
    decode, looks, go = engine._decode, [], threading.Event()
    taken = engine._taken

    def watched(batch: list[Call]) -> None:
        assert go.wait(PATIENCE_S)
        decode(batch)

    def counted() -> list[Call]:
        looks.append(None)
        return taken()

    monkeypatch.setattr(engine, "_decode", watched)
    monkeypatch.setattr(engine, "_taken", counted)

    async def ask() -> None:
        asked = [asyncio.create_task(engine.write(Request(tokens, GREEDY, 0))) for tokens in sources(folder, 2)]
        await asyncio.sleep(0.3)
        assert len(looks) < 50
        go.set()
        await asyncio.gather(*asked)

    asyncio.run(ask())
    engine.close()


@pytest.mark.parametrize("kind", ["stepping", "translating"])
def test_who_takes_requests_has_precedence_over_the_model(kind: str, folder: Path) -> None:
    own, before = os.getpriority(os.PRIO_PROCESS, 0), set(os.listdir("/proc/self/task"))
    engine = make(kind, folder)
    asyncio.run(engine.write(Request(sources(folder, 1)[0], GREEDY, 0)))
    started = set(os.listdir("/proc/self/task")) - before
    assert {os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in started} == {min(19, own + 10)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
    engine.close()
