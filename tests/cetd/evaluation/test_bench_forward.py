"""A forward pass of a size is timed where it fits, and left out where it does not."""

from __future__ import annotations

from cetd.config import EncoderDecoderConfig
from cetd.evaluation.bench_forward import forward_pass


def test_a_size_that_fits_is_timed() -> None:
    found = forward_pass(EncoderDecoderConfig(vocab_size=64), source=8, target=4, passes=2)
    assert found is not None
    assert 0 < found.seconds < 10
    assert found.peak > 0


def test_a_size_that_does_not_fit_is_left_out() -> None:
    huge = EncoderDecoderConfig(vocab_size=10**6, d_model=10**5, d_ff=10**6, n_heads=1000, encoder_layers=9)
    assert forward_pass(huge, source=8, target=4, passes=1) is None
