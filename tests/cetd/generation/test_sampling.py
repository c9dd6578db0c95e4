"""Draws follow the distribution, the cut-offs and the seeds."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from cetd.config import SamplingConfig
from cetd.generation.sampling import draw, truncate, uniform


def splitmix64(seed: int, step: int) -> int:
    """The published algorithm in plain integers."""
    word = 2**64
    z = (seed + (step + 1) * 0x9E3779B97F4A7C15) % word
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % word
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % word
    return z ^ (z >> 31)


@given(st.integers(0, 2**63 - 1), st.integers(0, 5000))
def test_uniform_is_splitmix64(seed: int, step: int) -> None:
    assert uniform(torch.tensor([seed]), step).item() == (splitmix64(seed, step) >> 11) * 2.0**-53


def test_draws_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.5, 0.25, 0.15, 0.1, 0.0])
    rows = 40_000
    drawn = draw(probabilities.log().expand(rows, 5), SamplingConfig(), torch.arange(rows), step=3)
    counts = torch.bincount(drawn, minlength=5)
    assert counts[4] == 0
    expected = probabilities[:4] * rows
    chi_square = ((counts[:4] - expected) ** 2 / expected).sum()
    assert chi_square < 16.27, "0.1 % point with three degrees of freedom"


def test_steps_of_a_row_are_independent() -> None:
    numbers = torch.stack([uniform(torch.arange(2000), step) for step in range(2)])
    assert abs(torch.corrcoef(numbers)[0, 1]) < 0.08


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 1.0, 0.0]])
    assert draw(logits, SamplingConfig(temperature=0), torch.tensor([1, 2]), 0).tolist() == [1, 0]


def test_low_temperature_sharpens() -> None:
    logits = torch.tensor([0.0, 1.0]).expand(4000, 2)
    shares = [
        draw(logits, SamplingConfig(temperature=heat), torch.arange(4000), 0).double().mean() for heat in (0.2, 1.0)
    ]
    assert shares[0] > 0.98
    assert 0.70 < shares[1] < 0.76


def test_top_k_keeps_the_k_likeliest() -> None:
    kept = truncate(torch.tensor([[0.1, 3.0, 2.0, 1.0]]), SamplingConfig(top_k=2))
    assert kept.isfinite().tolist() == [[False, True, True, False]]


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    kept = [truncate(logits, SamplingConfig(top_p=p)).isfinite().sum().item() for p in (0.1, 0.5, 0.6, 0.81, 1.0)]
    assert kept == [1, 1, 2, 3, 3]
