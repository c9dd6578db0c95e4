"""Validation is made of whole groups of repositories."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cetd.data.corpus.splitting import validation_repositories


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 1000)), max_size=60),
    st.floats(0, 0.9),
    st.integers(0, 5),
)
def test_no_group_straddles_and_the_share_is_not_exceeded(
    drawn: list[tuple[int, int]], share: float, seed: int
) -> None:
    names = [f"r{number}" for number, _ in drawn]
    groups = [number // 3 for number, _ in drawn]
    sizes = [size for _, size in drawn]
    chosen = validation_repositories(names, groups, sizes, share, seed)
    for group in set(groups):
        members = {name for name, one in zip(names, groups, strict=True) if one == group}
        assert members <= chosen or not members & chosen
    assert sum(size for name, size in zip(names, sizes, strict=True) if name in chosen) <= share * sum(sizes)


def test_it_depends_on_the_seed_and_not_on_the_order() -> None:
    names = [f"r{number}" for number in range(100)]
    chosen = validation_repositories(names, range(100), [10] * 100, 0.2, seed=1)
    assert len(chosen) == 20
    assert validation_repositories(names[::-1], range(100), [10] * 100, 0.2, seed=1) == chosen
    assert validation_repositories(names, range(100), [10] * 100, 0.2, seed=2) != chosen
