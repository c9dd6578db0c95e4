"""Which examples a step learns from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cetd.training.order import examples_of_step, row_seeds, total_steps


@given(examples=st.integers(1, 60), step_size=st.integers(1, 20), seed=st.integers(0, 9))
def test_every_epoch_has_every_example_once(examples: int, step_size: int, seed: int) -> None:
    steps = total_steps(examples, 3, step_size, None)
    seen = [index for step in range(steps) for index in examples_of_step(seed, examples, step, step_size)]
    assert len(seen) >= 3 * examples
    for epoch in range(3):
        assert sorted(seen[epoch * examples : (epoch + 1) * examples]) == list(range(examples))


def test_epochs_and_seeds_differ() -> None:
    first, second = (examples_of_step(0, 32, step, 32) for step in (0, 1))
    assert first != second
    assert first != examples_of_step(1, 32, 0, 32)
    assert row_seeds(0, 3, range(4)) != row_seeds(0, 4, range(4))
    assert row_seeds(0, 3, range(2, 4)) == row_seeds(0, 3, range(4))[2:]


def test_steps_are_as_many_as_epochs_need_and_max_steps_allows() -> None:
    assert total_steps(100, 1, 8, None) == 13
    assert total_steps(100, 2.5, 8, None) == 32
    assert total_steps(100, 10, 8, 5) == 5
    assert total_steps(3, 0.1, 8, None) == 1
