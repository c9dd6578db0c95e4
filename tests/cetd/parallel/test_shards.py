"""Shards cover what there is, once, and are cut where heads end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.parallel.mesh import MeshError
from cetd.parallel.shards import Share, shard, share, shares


def test_twenty_heads_on_three_processes_are_seven_seven_and_six() -> None:
    assert [share(20, 3, part).size for part in range(3)] == [7, 7, 6]


@given(items=st.integers(0, 1000), parts=st.integers(1, 17))
def test_shares_cover_every_item_once_and_are_even(items: int, parts: int) -> None:
    all_shares = [share(items, parts, part) for part in range(parts)]
    assert [item for one in all_shares for item in range(one.first, one.end)] == list(range(items))
    assert max(one.size for one in all_shares) - min(one.size for one in all_shares) <= 1


@given(kv_heads=st.integers(1, 12), group=st.integers(1, 8), degree=st.integers(1, 12))
def test_query_heads_stay_with_their_key_and_value_head(kv_heads: int, group: int, degree: int) -> None:
    config = DecoderConfig(n_heads=kv_heads * group, n_kv_heads=kv_heads, vocab_size=64, d_ff=64)
    if degree > kv_heads:
        with pytest.raises(MeshError, match=f"heads={kv_heads}.*use at most {kv_heads}"):
            shares(config, degree, 0)
        return
    for rank in range(degree):
        held = shares(config, degree, rank)
        assert {head // group for head in range(held.heads.first, held.heads.end)} == set(
            range(held.kv_heads.first, held.kv_heads.end)
        )


def test_parameters_are_cut_where_heads_end() -> None:
    config = EncoderDecoderConfig(n_heads=20, d_kv=64, d_model=1280, d_ff=5120, vocab_size=32100)
    held = shares(config, 3, 2)
    query = shard("encoder.layers.0.self_attention.q.weight", config, held)
    assert query is not None
    assert (query.dimension, query.share) == (0, Share(14 * 64, 20 * 64))
    table = shard("decoder.positions.embedding.weight", config, held)
    assert table is not None
    assert (table.dimension, table.share) == (1, Share(14, 20))
    assert shard("encoder.layers.0.self_norm.weight", config, held) is None
    assert shard("decoder.norm.weight", config, held) is None


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("n_heads=2", EncoderDecoderConfig(n_heads=2)),
        ("n_kv_heads=2", DecoderConfig(n_heads=8, n_kv_heads=2)),
        ("d_ff=2", EncoderDecoderConfig(d_ff=2)),
        ("vocab_size=2", DecoderConfig(vocab_size=2)),
    ],
)
def test_a_degree_beyond_the_model_names_what_is_too_few(
    field: str, config: EncoderDecoderConfig | DecoderConfig
) -> None:
    with pytest.raises(MeshError, match=f"parallel.tensor=3: {field} .*use at most 2"):
        shares(config, 3, 0)
