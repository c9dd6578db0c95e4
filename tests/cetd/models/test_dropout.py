"""Dropout masks follow from (row, site, unit), whatever the rows and units are computed with."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cetd.models.dropout import Dropout, ValueDropout, number_sites, seeded


def two_sites(rate: float) -> nn.Sequential:
    model = nn.Sequential(Dropout(rate), Dropout(rate))
    number_sites(model)
    return model


@pytest.mark.parametrize("rate", [0.1, 0.15, 0.5])
def test_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    dropout = Dropout(rate)
    with seeded(dropout, torch.arange(64)):
        out = dropout(torch.ones(64, 3, 4096))
    assert (out == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert out.mean().item() == pytest.approx(1.0, abs=0.005)
    assert out.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])


def test_positions_of_a_row_share_a_mask_and_rows_do_not() -> None:
    dropout = Dropout(0.5)
    with seeded(dropout, torch.tensor([3, 4])):
        out = dropout(torch.ones(2, 5, 256))
    assert (out == out[:, :1]).all()
    assert 0.4 < (out[0] != out[1]).float().mean() < 0.6


def test_sites_have_masks_of_their_own() -> None:
    model = two_sites(0.5)
    with seeded(model, torch.tensor([7])):
        first, second = model[0](torch.ones(1, 1, 512)), model[1](torch.ones(1, 1, 512))
    assert 0.4 < (first != second).float().mean() < 0.6


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.integers(0, 2**62), min_size=2, max_size=5), cut=st.integers(1, 15))
def test_a_share_of_rows_and_units_has_its_share_of_the_masks(rows: list[int], cut: int) -> None:
    whole, part = Dropout(0.3), Dropout(0.3)
    part.first = cut
    hidden = torch.ones(len(rows), 2, 16)
    with seeded(whole, torch.tensor(rows)), seeded(part, torch.tensor(rows[1:])):
        assert whole(hidden)[1:, :, cut:].equal(part(hidden[1:, :, cut:]))


def test_dropped_values_are_dropped_weights_of_all_queries() -> None:
    dropout = ValueDropout(0.4)
    weights, values = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 7, 4)  # (batch, head, query, key), (…, key, size)
    with seeded(dropout, torch.tensor([1, 2])):
        mask = dropout(torch.ones(2, 3, 7, 1))
        assert torch.allclose(weights @ dropout(values), (weights * mask.transpose(2, 3)) @ values)
    assert 0 < (mask == 0).float().mean() < 1


def test_heads_have_masks_of_their_own() -> None:
    whole, part = ValueDropout(0.5), ValueDropout(0.5)
    part.first = 2
    with seeded(whole, torch.tensor([5])), seeded(part, torch.tensor([5])):
        kept = whole(torch.ones(1, 3, 64, 1))
        assert part(torch.ones(1, 1, 64, 1)).equal(kept[:, 2:])
    assert not kept[0, 0].equal(kept[0, 1])


def test_without_seeds_masks_follow_from_torchs_generator() -> None:
    dropout = Dropout(0.5)
    torch.manual_seed(1)
    first = dropout(torch.ones(2, 2, 64))
    second = dropout(torch.ones(2, 2, 64))
    torch.manual_seed(1)
    assert first.equal(dropout(torch.ones(2, 2, 64)))
    assert not first.equal(second)


def test_evaluation_drops_nothing() -> None:
    hidden = torch.rand(2, 3, 4)
    assert Dropout(0.5).eval()(hidden).equal(hidden)
    assert ValueDropout(0.5).eval()(hidden[None]).equal(hidden[None])
