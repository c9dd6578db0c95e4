"""Fused attention with a learned bias gives what the softmax formula gives, gradients included."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cetd.models.attention import attend


def by_formula(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    return (queries @ keys.transpose(-1, -2) + bias).softmax(-1) @ values


def inputs(batch: int, heads: int, query: int, key: int, size: int, bias: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(batch + heads + query + key + size)
    shapes = [(batch, heads, query, size), (batch, heads, key, size), (batch, heads, key, size), bias]
    return [torch.randn(shape, generator=generator, dtype=torch.float32).requires_grad_() for shape in shapes]


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 3),
    heads=st.integers(1, 3),
    query=st.integers(1, 40),
    key=st.integers(1, 40),
    size=st.sampled_from([4, 16, 64]),
    whole=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_values_and_gradients_are_those_of_the_formula(batch, heads, query, key, size, whole) -> None:
    shape = tuple(n if kept else 1 for n, kept in zip((batch, heads, query), whole, strict=True))
    given_inputs = inputs(batch, heads, query, key, size, (*shape, key))
    out, expected = attend(*given_inputs), by_formula(*given_inputs)
    weight = torch.randn_like(out)
    found = torch.autograd.grad((out * weight).sum(), given_inputs)
    wanted = torch.autograd.grad((expected * weight).sum(), given_inputs)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_what_is_masked_gets_nothing() -> None:
    queries, keys, values, bias = inputs(2, 2, 5, 7, 16, (2, 2, 5, 7))
    masked = bias.masked_fill(torch.arange(7) > 4, torch.finfo(torch.float32).min)
    attend(queries, keys, values, masked).sum().backward()
    for tensor in (keys, values):
        assert tensor.grad is not None
        assert (tensor.grad[:, :, 5:] == 0).all()
    assert bias.grad is not None
    assert (bias.grad[..., 5:] == 0).all()


@pytest.mark.parametrize("learned", [True, False])
def test_no_scores_of_the_whole_batch_are_kept(learned: bool) -> None:
    """What autograd keeps grows with the queries plus the keys, not with their product."""
    queries, keys, values, bias = inputs(4, 2, 256, 256, 16, (1, 2, 256, 256))
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
        attend(queries, keys, values, bias.requires_grad_(learned))
    assert max(kept) < 4 * 2 * 256 * 256
