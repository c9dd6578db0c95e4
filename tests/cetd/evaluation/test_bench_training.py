"""The training benchmark measures both sides on the same work."""

from __future__ import annotations

import pytest

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.evaluation.bench_training import Shape, compare, utilisation
from cetd.training.duration import operations_per_example

SHAPES = {
    "t5": Shape(EncoderDecoderConfig(vocab_size=64, d_model=32, d_ff=48, d_kv=8, dropout=0.1), 2, 6, 4),
    "llama": Shape(DecoderConfig(vocab_size=64, d_model=32, d_ff=48, d_head=8, n_layers=2), 2, 6, 4),
}


@pytest.mark.parametrize("family", SHAPES)
def test_both_sides_are_measured_and_the_fastest_way_counts(family: str) -> None:
    found = compare(SHAPES[family], steps=1, rounds=1, compiled=False)
    assert found["ours"]["way"] == "cetd"
    assert found["hugging_face"]["way"] in ("sdpa", "eager")
    assert found["ratio"] == found["ours"]["tokens_per_s"] / found["hugging_face"]["tokens_per_s"]
    for side in ("ours", "hugging_face"):
        assert found[side]["tokens_per_s"] == pytest.approx(20 / found[side]["step_s"])
        assert found[side]["peak_bytes"] > 0
        assert found[side]["mfu"] is None  # of CPUs no rate is known


def test_utilisation_is_the_operations_over_what_the_device_could_do() -> None:
    shape = SHAPES["llama"]
    operations = 2 * operations_per_example(shape.model, 6, 4)
    assert utilisation(shape, 1.0, "NVIDIA H200", "bf16") == pytest.approx(operations / 989e12)
    assert utilisation(shape, 2.0, "Tesla P40", "fp32") == pytest.approx(operations / 12e12 / 2)
    assert utilisation(shape, 1.0, "Radeon", "bf16") is None
