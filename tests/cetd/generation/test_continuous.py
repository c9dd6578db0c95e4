"""Continuous batching against rows that decode alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.config import EncoderDecoderConfig, SamplingConfig
from cetd.generation.continuous import ContinuousBatch, Drawn, Request
from cetd.generation.encoder_decoder import generate
from cetd.models.encoder_decoder import EncoderDecoder

EOS, PAD, VOCABULARY = 1, 0, 40
GREEDY = SamplingConfig(temperature=0.0, max_new_tokens=12)
DRAWN = SamplingConfig(temperature=1.0, top_k=20, max_new_tokens=12)


def model(**dimensions: object) -> EncoderDecoder:
    torch.manual_seed(3)
    config = {"vocab_size": VOCABULARY, "d_model": 32, "d_ff": 64, "d_kv": 8, "encoder_layers": 2, "decoder_layers": 2}
    made = EncoderDecoder(EncoderDecoderConfig.model_validate({**config, **dimensions})).eval()
    # Likely enough that some rows end before their bound.
    with torch.no_grad():
        made.embedding.weight[EOS] *= 3
    return made


MODEL = model()


def alone(request: Request, of: EncoderDecoder = MODEL) -> tuple[int, ...]:
    (row,) = generate(
        of,
        torch.tensor([request.tokens]),
        torch.ones(1, len(request.tokens), dtype=torch.bool),
        samples=1,
        sampling=request.sampling,
        seeds=torch.tensor([request.seed]),
        eos_id=EOS,
        pad_id=PAD,
    )
    return row.tokens


def batch(of: EncoderDecoder = MODEL, max_rows: int = 8, max_batch_tokens: int = 1000) -> ContinuousBatch:
    return ContinuousBatch(of, eos_id=EOS, pad_id=PAD, max_rows=max_rows, max_batch_tokens=max_batch_tokens)


def drained(running: ContinuousBatch, found: dict[int, list[Drawn]]) -> dict[int, tuple[int, ...]]:
    while running.waiting or running.running:
        for drawn in running.step():
            found.setdefault(drawn.key, []).append(drawn)
    return {key: tuple(drawn.token for drawn in row) for key, row in found.items()}


tokens = st.lists(st.integers(2, VOCABULARY - 1), min_size=1, max_size=30).map(tuple)
requests = st.builds(
    Request,
    tokens=tokens,
    sampling=st.builds(
        SamplingConfig,
        temperature=st.sampled_from([0.0, 0.7, 1.0]),
        top_p=st.sampled_from([0.8, 1.0]),
        max_new_tokens=st.integers(1, 12),
    ),
    seed=st.integers(0, 2**62),
)


@settings(max_examples=40)
@given(arrivals=st.lists(st.tuples(requests, st.integers(0, 4)), min_size=1, max_size=10), max_rows=st.integers(1, 6))
def test_a_request_has_the_tokens_that_it_has_alone_whenever_it_joins(
    arrivals: list[tuple[Request, int]], max_rows: int
) -> None:
    running, found = batch(max_rows=max_rows), {}
    for key, (request, steps_before) in enumerate(arrivals):
        for _ in range(steps_before):
            for drawn in running.step():
                found.setdefault(drawn.key, []).append(drawn)
        running.add(key, request)
    texts = drained(running, found)
    assert texts == {key: alone(request) for key, (request, _) in enumerate(arrivals)}
    for key, row in found.items():
        assert [one.finish for one in row[:-1]] == [None] * (len(row) - 1)
        assert row[-1].finish == ("stop" if row[-1].token == EOS else "length"), key


@pytest.mark.parametrize(
    "dimensions",
    [{"feed_forward": "gated-gelu"}, {"tied_lm_head": False}, {"n_heads": 3, "decoder_layers": 1}],
    ids=["gated", "untied", "uneven"],
)
def test_every_shape_of_the_family_decodes_as_alone(dimensions: dict[str, object]) -> None:
    of = model(**dimensions)
    asked = [Request(tuple(range(2, 4 + 3 * number)), GREEDY) for number in range(5)]
    running = batch(of)
    for key, request in enumerate(asked):
        running.add(key, request)
        running.step()
    again = batch(of)
    for key, request in enumerate(asked):
        again.add(key, request)
    assert drained(again, {}) == {key: alone(request, of) for key, request in enumerate(asked)}


def test_a_short_request_joins_a_long_one_and_ends_before_it() -> None:
    running = batch()
    running.add(0, Request((5, 6, 7), SamplingConfig(temperature=1.0, max_new_tokens=200), seed=2))
    for _ in range(3):
        running.step()
    running.add(1, Request((8, 9), SamplingConfig(temperature=1.0, max_new_tokens=2), seed=2))
    events = running.step()
    assert [event.key for event in events] == [0, 1]
    events = running.step()
    assert [(event.key, bool(event.finish)) for event in events] == [(0, False), (1, True)]
    assert running.running == 1


@given(asked=st.lists(requests, min_size=1, max_size=20), bound=st.integers(45, 120))
@settings(max_examples=30)
def test_rows_never_hold_more_tokens_than_allowed(asked: list[Request], bound: int) -> None:
    running = batch(max_rows=5, max_batch_tokens=bound)
    by_key = dict(enumerate(asked))
    for key, request in by_key.items():
        running.add(key, request)
    live: set[int] = set()
    while running.waiting or running.running:
        events = running.step()
        live = {event.key for event in events}
        rows = [by_key[key] for key in live]
        longest = max(len(row.tokens) for row in rows) + max(row.sampling.max_new_tokens for row in rows)
        assert len(rows) * longest <= bound
        assert len(rows) <= 5


def test_a_cancelled_request_frees_its_row_for_the_next_step() -> None:
    running = batch(max_rows=1)
    long = SamplingConfig(temperature=1.0, max_new_tokens=100)
    running.add(0, Request((5, 6), long, seed=1))
    running.add(1, Request((7, 8), GREEDY))
    assert [event.key for event in running.step()] == [0]
    running.cancel(0)
    assert [event.key for event in running.step()] == [1]
    running.cancel(1)
    running.cancel(17)
    assert (running.waiting, running.running, running.step()) == (0, 0, [])


def test_others_write_on_where_one_was_cancelled() -> None:
    running = batch()
    asked = {key: Request((5 + key, 6), GREEDY) for key in range(4)}
    found: dict[int, list[Drawn]] = {}
    for key, request in asked.items():
        running.add(key, request)
    for drawn in running.step():
        found.setdefault(drawn.key, []).append(drawn)
    running.cancel(1)
    del found[1]
    assert drained(running, found) == {key: alone(request) for key, request in asked.items() if key != 1}


def test_a_waiting_request_can_be_cancelled() -> None:
    running = batch(max_rows=1)
    for key in range(3):
        running.add(key, Request((5 + key, 6), GREEDY))
    running.step()
    running.cancel(1)
    assert set(drained(running, {})) == {0, 2}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request((), GREEDY), "at least one"),
        (Request((2,) * 95, GREEDY), "95 to read and 12 to write exceed max_batch_tokens=100"),
    ],
)
def test_what_cannot_be_decoded_is_refused_at_once(request_: Request, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batch(max_batch_tokens=100).add(0, request_)
