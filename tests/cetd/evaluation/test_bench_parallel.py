"""The benchmark of tensor parallelism counts what is sent, and holds both sides to one process."""

from __future__ import annotations

import pytest

from cetd.config import EncoderDecoderConfig
from cetd.evaluation.bench_parallel import compare, least_bytes
from cetd.evaluation.bench_training import Shape

MODEL = EncoderDecoderConfig(vocab_size=64, d_model=40, d_ff=60, d_kv=4, n_heads=5, encoder_layers=2, decoder_layers=1)
SHAPE = Shape(MODEL, batch=2, source=6, target=4)


def test_this_side_sends_the_least_and_neither_leaves_the_curve_of_one_process() -> None:
    found = compare(SHAPE, degree=2, steps=2, rounds=1)
    ours, theirs = found["cetd"], found["deepspeed"]
    assert ours["sent"] == pytest.approx(found["least"], rel=0.01)
    assert theirs["sent"] > found["least"]
    assert max(ours["weights"]) < max(theirs["weights"]) < found["whole"]
    assert max(ours["deviation"], theirs["deviation"]) < 1e-5
    assert ours["deviation_with_dropout"] < 1e-5 < theirs["deviation_with_dropout"]


def test_the_least_is_counted_in_blocks_and_directions() -> None:
    # Two sums and two gradients per encoder layer, three and three per decoder layer; both embeddings, the encoder's
    # states, the head's input; three numbers per token of the loss.
    assert least_bytes(SHAPE) == 4 * (40 * (12 * 8 + 8 * 6 + 12 + 8 + 12 + 8) + 3 * 8)
