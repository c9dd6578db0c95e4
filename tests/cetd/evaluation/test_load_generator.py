"""The load generator against a small server: what is sent, what is counted, and what it comes to."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st

from cetd.evaluation.load_generator import (
    PERCENTILES,
    Answer,
    Load,
    Reply,
    apply,
    arrive,
    by_interval,
    distinct,
    get,
    infer,
    percentile,
    requirements,
    run,
    summary,
)
from cetd.evaluation.server_process import free_port

WRITING_S = 0.05
INPUTS = ["def f(x):\n    return x\n", "def g(x):\n    return -x\n", "x = 1\n"]


class Seen:
    """What the server was asked, and how many requests it had in hand at once at most."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.most = self._now = 0

    async def note(self, request: Request) -> Any:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0.001)
        self._now -= 1
        self.bodies.append(await request.json())
        return self.bodies[-1]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def url(seen: Seen) -> Iterator[str]:
    app = FastAPI()

    @app.post("/infer")
    async def _(request: Request) -> Response:
        (text,) = (await seen.note(request))["inputs"]
        if text.startswith("x"):
            return Response("no JSON", 503)
        answer = {"outputs": ["a"], "usage": {"output_tokens": 7}, "timings": {"total_ms": 1.5}}
        return Response(json.dumps(answer))

    @app.post("/v1/requirements")
    async def _(request: Request) -> Response:
        text = (await seen.note(request))["source"]
        return StreamingResponse(events(text)) if not text.startswith("x") else Response(status_code=429)

    async def events(text: str) -> AsyncIterator[str]:
        yield 'event: token\ndata: {"text": "a"}\n\n'
        await asyncio.sleep(WRITING_S)
        if text.startswith("def f"):
            yield 'event: done\ndata: {"usage": {"output_tokens": 2}, "timings": {"total_ms": 3}}\n\n'
        else:
            yield 'event: error\ndata: {"error": {"code": "no_model", "message": "gone"}}\n\n'

    @app.get("/health")
    async def _() -> dict[str, str]:
        return {"status": "alive"}

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_so_many_requests_are_sent_as_were_asked_for_each_another(url: str, seen: Seen) -> None:
    numbers = itertools.count()
    load = run(apply(url, infer(INPUTS[:2], 8), numbers, 4, requests=30))
    assert len(load.replies) == 30
    assert next(numbers) == 30
    asked = sorted(text for body in seen.bodies for text in body["inputs"])
    assert asked == sorted(distinct(INPUTS[:2], number) for number in range(30))
    assert len(set(asked)) == 30
    assert {body["max_new_tokens"] for body in seen.bodies} == {8}
    assert seen.most == 4


def test_a_load_of_some_seconds_ends_after_them_and_awaits_what_has_begun(url: str, seen: Seen) -> None:
    load = run(apply(url, infer(INPUTS, 8), itertools.count(), 3, seconds=0.2))
    assert len(load.replies) == len(seen.bodies) > 3
    assert all(reply.began_s < 0.2 for reply in load.replies)
    assert load.seconds >= 0.2


def test_requests_that_come_at_a_rate_do_not_wait_for_answers(url: str, seen: Seen) -> None:
    load = run(arrive(url, infer(INPUTS, 8), itertools.count(), rate=1000, seconds=0.2))
    assert 0 < len(load.replies) == len(seen.bodies) <= 200
    assert seen.most > 1


def test_what_its_time_is_over_for_is_not_sent(url: str) -> None:
    async def slow(session: Any, number: int) -> Answer:
        time.sleep(0.05)
        return Answer(200, {})

    load = run(arrive(url, slow, itertools.count(), rate=1000, seconds=0.2))
    assert len(load.replies) <= 5


@pytest.mark.parametrize("end", [{}, {"requests": 1, "seconds": 1.0}])
def test_a_load_has_one_end(url: str, end: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        run(apply(url, infer(INPUTS, 8), itertools.count(), 3, **end))


def test_answers_and_errors_are_told_apart(url: str) -> None:
    load = run(apply(url, infer(INPUTS, 8), itertools.count(), 4, requests=30))
    found = summary(load)
    assert found["requests"] == 20
    assert found["errors"] == {"503": 10}
    assert found["tokens_per_s"] == pytest.approx(7 * found["requests_per_s"])
    assert found["requests_per_s"] == pytest.approx(20 / load.seconds)
    assert {reply.server_s for reply in load.replies if reply.status == 200} == {0.0015}
    assert found["first_token_ms"] is None
    assert found["client_ms"] > 0


def test_where_nobody_listens_there_is_no_answer() -> None:
    load = run(apply(f"http://127.0.0.1:{free_port()}", get("/health"), itertools.count(), 2, requests=4))
    found = summary(load)
    assert (found["requests"], found["errors"], found["latency_ms"]) == (0, {"0": 4}, None)


def test_the_first_token_of_a_stream_is_timed_and_one_that_breaks_off_is_an_error(url: str) -> None:
    load = run(apply(url, requirements(INPUTS, 8), itertools.count(), 1, requests=3))
    whole, broken, refused = load.replies
    assert (whole.status, whole.tokens, whole.server_s) == (200, 2, 0.003)
    assert whole.first_token_s is not None
    assert 0 < whole.first_token_s <= whole.latency_s - 0.9 * WRITING_S
    assert (broken.status, refused.status) == (0, 429)
    assert summary(load)["errors"] == {"0": 1, "429": 1}


def test_any_path_can_be_asked_for(url: str) -> None:
    load = run(apply(url, get("/health"), itertools.count(), 2, requests=10))
    assert Counter(reply.status for reply in load.replies) == {200: 10}


# ------------------------------------------------------------------------------------------------ arithmetic

VALUES = st.lists(st.floats(0, 1e6), min_size=1)
PERCENT = st.floats(0, 100)


@given(VALUES, PERCENT)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    needed = math.ceil(len(values) * percent / 100)
    assert found in values
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < max(1, needed)


@given(VALUES, PERCENT, PERCENT, st.randoms())
def test_percentiles_rise_and_do_not_depend_on_order(values: list[float], one: float, other: float, shuffler) -> None:
    assert percentile(values, min(one, other)) <= percentile(values, max(one, other))
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    assert percentile(shuffled, one) == percentile(values, one)
    assert (percentile(values, 0), percentile(values, 100)) == (min(values), max(values))


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_what_is_no_percentile_is_refused(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="give 0 to 100"):
        percentile(values, percent)


REPLIES = st.lists(
    st.builds(
        Reply,
        began_s=st.floats(0, 50),
        latency_s=st.floats(0, 50),
        status=st.sampled_from([0, 200, 429, 503]),
        tokens=st.integers(0, 64),
        first_token_s=st.none() | st.floats(0, 50),
    )
)


def load_of(replies: list[Reply]) -> Load:
    return Load(replies, max((one.began_s + one.latency_s for one in replies), default=0.0), 0.5)


@given(REPLIES)
def test_every_reply_is_an_answer_or_an_error(replies: list[Reply]) -> None:
    found = summary(load_of(replies))
    answered = [reply for reply in replies if reply.status == 200]
    assert found["requests"] == len(answered)
    assert found["requests"] + sum(found["errors"].values()) == len(replies)
    assert "200" not in found["errors"]
    assert found["tokens_per_s"] * found["seconds"] == pytest.approx(
        sum(one.tokens for one in answered) if found["seconds"] else 0
    )
    if answered:
        p50, p95, p99 = found["latency_ms"].values()
        assert p50 <= p95 <= p99 == 1000 * percentile([one.latency_s for one in answered], PERCENTILES[-1])


@given(REPLIES, st.integers(1, 60))
def test_the_course_has_each_answer_of_its_whole_intervals_once(replies: list[Reply], interval_s: int) -> None:
    load = load_of(replies)
    course = by_interval(load, interval_s)
    assert len(course) == int(load.seconds / interval_s)
    within = [
        one for one in replies if one.status == 200 and int((one.began_s + one.latency_s) / interval_s) < len(course)
    ]
    assert sum(each["requests_per_s"] * interval_s for each in course) == pytest.approx(len(within))
    assert all((each["p95_ms"] is None) == (each["requests_per_s"] == 0) for each in course)
