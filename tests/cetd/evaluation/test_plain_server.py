"""The plain server that serving is compared with: what it writes, and that it batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from transformers import AutoTokenizer, T5ForConditionalGeneration

from cetd.evaluation.plain_server import (
    MAX_ROWS,
    Generator,
    InferBody,
    Waiting,
    Written,
    app,
    batch_for_ever,
    growing_cache,
)
from tests.cetd.serving.lively import lively_model

TEXTS = [f"def f{number}(x):\n    return x * {number * 37}\n" for number in range(12)]
LIMIT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def alone(folder: Path) -> list[str]:
    """What Hugging Face writes for each text by itself."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = T5ForConditionalGeneration.from_pretrained(folder).eval()
    said = []
    for text in TEXTS:
        read = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        with torch.no_grad():
            drawn = model.generate(  # type: ignore[attr-defined]
                read, max_new_tokens=LIMIT, do_sample=False, past_key_values=growing_cache()
            )
        said.append(tokenizer.decode(drawn[0], skip_special_tokens=True))
    assert len(set(said)) > 3, "the model says something else of each source"
    return said


@pytest.fixture
def generator(folder: Path) -> Generator:
    return Generator(folder)


def queued(generator: Generator, bodies: Sequence[InferBody]) -> list[Written | BaseException]:
    """What requests that wait together are answered."""

    async def answers() -> list[Written | BaseException]:
        queue: asyncio.Queue[Waiting] = asyncio.Queue()
        waiting = [Waiting(body, asyncio.get_running_loop().create_future()) for body in bodies]
        for one in waiting:
            queue.put_nowait(one)
        task = asyncio.create_task(batch_for_ever(queue, generator))
        try:
            return await asyncio.gather(*(one.written for one in waiting), return_exceptions=True)
        finally:
            task.cancel()

    return asyncio.run(answers())


def bodies_of(texts: Sequence[str]) -> list[InferBody]:
    return [InferBody(inputs=[text], max_new_tokens=LIMIT) for text in texts]


def test_requests_that_wait_are_one_batch_and_have_the_text_that_they_have_alone(
    generator: Generator, alone: list[str]
) -> None:
    answers = queued(generator, bodies_of(TEXTS))
    assert generator.calls == 1
    assert [answer.texts for answer in answers if isinstance(answer, Written)] == [[text] for text in alone]


def test_requests_that_wait_already_are_taken_without_waiting(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cetd.evaluation.plain_server.GATHER_S", 0.0)
    queued(generator, bodies_of(TEXTS))
    assert generator.calls == 1


def test_a_batch_has_no_more_rows_than_it_may_have(generator: Generator, alone: list[str]) -> None:
    many = [InferBody(inputs=TEXTS, max_new_tokens=LIMIT) for _ in range(2 * MAX_ROWS // len(TEXTS) + 1)]
    answers = queued(generator, many)
    assert [answer.texts for answer in answers if isinstance(answer, Written)] == [alone] * len(many)
    assert generator.calls == -(-len(many) // (MAX_ROWS // len(TEXTS)))


def test_each_request_has_its_own_limit_in_a_shared_batch(generator: Generator, alone: list[str]) -> None:
    short, long = queued(generator, [InferBody(inputs=TEXTS[1:2], max_new_tokens=2), *bodies_of(TEXTS[3:4])])
    assert isinstance(short, Written)
    assert isinstance(long, Written)
    assert (short.written, long.written) == (2, LIMIT)
    assert alone[1].startswith(short.texts[0])
    assert long.texts == [alone[3]]
    assert 0 < short.read < long.read


def test_a_batch_that_fails_fails_its_requests_and_not_the_next(generator: Generator, alone: list[str]) -> None:
    nothing = InferBody(inputs=[""] * MAX_ROWS, max_new_tokens=LIMIT)
    failed, answered = queued(generator, [nothing, *bodies_of(TEXTS[:1])])
    assert isinstance(failed, Exception)
    assert isinstance(answered, Written)
    assert answered.texts == [alone[0]]


def test_it_answers_over_http_and_batches_what_comes_together(generator: Generator, alone: list[str]) -> None:
    with TestClient(app(generator)) as client, ThreadPoolExecutor(len(TEXTS)) as threads:
        assert client.get("/health").json() == {"status": "alive"}
        assert client.post("/infer", json={"inputs": []}).status_code == 422
        asked = [{"inputs": [text], "max_new_tokens": LIMIT} for text in TEXTS]
        answers = [one.json() for one in threads.map(lambda body: client.post("/infer", json=body), asked)]
    assert [answer["outputs"] for answer in answers] == [[text] for text in alone]
    assert all(0 < answer["usage"]["output_tokens"] <= LIMIT for answer in answers)
    assert all(answer["timings"]["total_ms"] > 0 for answer in answers)
    assert generator.calls < len(TEXTS)


def test_threads_are_chosen_by_trying(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cetd.evaluation.plain_server._TRIALS", 1)
    before = torch.get_num_threads()
    try:
        assert generator.choose_threads() == torch.get_num_threads() >= 1
    finally:
        torch.set_num_threads(before)
