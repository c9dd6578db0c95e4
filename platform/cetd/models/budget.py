"""The parameter budget of a decoder-only language model: the shape for it, or what to relax where there is none.

Every remedy that a refusal names has been tried: with it, the budget has a shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from cetd.config import ConfigError, validate
from cetd.config.budget import BudgetConfig
from cetd.models.allocation import (
    Allocation,
    Ratio,
    layer_parameters,
    nearest,
    parameters_apart,
    parameters_per_token,
    width_inside,
    widths,
)


class BudgetError(ValueError):
    """No shape is near enough. Each of ``remedies`` maps fields to values that give the budget a shape."""

    def __init__(self, message: str, remedies: list[dict[str, Any]]) -> None:
        super().__init__(message)
        self.remedies = remedies


def allocate(asked: BudgetConfig) -> Allocation:
    """The shape nearest to what is asked.

    Raises:
        BudgetError: none lies within 0.5 % of the total and within ``max_deviation`` of both ratios; the message names
            what to relax, and to which value.
    """
    found = nearest(asked)
    if found is None:
        remedies = _remedies(asked)
        changes = [" ".join(f"{field}={str(value).lower()}" for field, value in change.items()) for change in remedies]
        raise BudgetError(
            f"total_params={asked.total_params} cannot be met within 0.5% with "
            f"embedding_ratio={asked.embedding_ratio:.4g} and glu_expansion={asked.glu_expansion:.4g} within "
            f"max_deviation={asked.max_deviation} at vocab_size={asked.vocab_size} and n_heads={asked.n_heads}; "
            f"{'any one of these' if len(changes) > 1 else 'this'} solves it: {', or '.join(changes)}",
            remedies,
        )
    return found


def _remedies(asked: BudgetConfig) -> list[dict[str, Any]]:
    """Changes of one field that give the budget a shape, each the least found; without any, a change of two fields."""
    offered = {
        "embedding_ratio": _reached(asked, "embedding_ratio"),
        "vocab_size": _closest(asked, "vocab_size", _vocabularies(asked)),
        "n_heads": _fewer_heads(asked),
        "tied_lm_head": not asked.tied_lm_head,
        "positions": "rotary" if asked.positions == "learned" else None,
        "glu_expansion": _reached(asked, "glu_expansion"),
        "total_params": _closest(asked, "total_params", _totals(asked)),
    }
    changes = [{field: value} for field, value in offered.items() if value is not None]
    return [change for change in changes if _solves(asked, change)] or [_vocabulary_and_total(asked)]


def _solves(asked: BudgetConfig, change: dict[str, Any]) -> bool:
    try:
        return nearest(validate(BudgetConfig, asked.model_dump() | change)) is not None
    except ConfigError:
        return False


def _reached(asked: BudgetConfig, ratio: Ratio) -> float | None:
    """What the ratio comes to where only the other one is asked for."""
    found = nearest(asked, free=ratio)
    return found and float(f"{getattr(found, ratio):.3g}")


def _fewer_heads(asked: BudgetConfig) -> int | None:
    """The most heads that divide those asked, so that every width stays allowed and others join."""
    divisors = (heads for heads in range(asked.n_heads // 2, 0, -1) if asked.n_heads % heads == 0)
    return next((heads for heads in divisors if _solves(asked, {"n_heads": heads})), None)


def _vocabularies(asked: BudgetConfig) -> Iterator[tuple[int, float]]:
    """Vocabularies at which a shape has the total and the expansion asked, and the embedding's share in each."""
    for d_model in widths(asked):
        token, layer = parameters_per_token(asked, d_model), layer_parameters(d_model, width_inside(asked, d_model))
        share = _clamped(asked, asked.vocab_size * token / asked.total_params)
        apart = parameters_apart(asked, d_model)
        for n_layers in _around(((1 - share) * asked.total_params - apart) / layer):
            vocabulary = (asked.total_params - apart - n_layers * layer) // token
            yield vocabulary, vocabulary * token / asked.total_params


def _totals(asked: BudgetConfig) -> Iterator[tuple[int, float]]:
    """Totals at which a shape has the vocabulary and the expansion asked, and the embedding's share in each."""
    for d_model in widths(asked):
        embedding = asked.vocab_size * parameters_per_token(asked, d_model)
        layer = layer_parameters(d_model, width_inside(asked, d_model))
        share = _clamped(asked, embedding / asked.total_params)
        apart = parameters_apart(asked, d_model)
        for n_layers in _around((embedding * (1 / share - 1) - apart) / layer):
            total = embedding + n_layers * layer + apart
            yield total, embedding / total


def _vocabulary_and_total(asked: BudgetConfig) -> dict[str, Any]:
    """A vocabulary and a total that solve together: the first of shapes that grow until integers are fine enough."""
    scale = 1
    while True:
        d_model = 2 * asked.n_heads * scale
        token, layer = parameters_per_token(asked, d_model), layer_parameters(d_model, width_inside(asked, d_model))
        rest = scale * layer + parameters_apart(asked, d_model)
        vocabulary = max(1, round(rest * asked.embedding_ratio / (1 - asked.embedding_ratio) / token))
        change = {"vocab_size": vocabulary, "total_params": vocabulary * token + rest}
        if _solves(asked, change):
            return change
        scale *= 2


def _closest(asked: BudgetConfig, field: str, candidates: Iterable[tuple[int, float]]) -> int | None:
    allowed = [value for value, share in candidates if value > 0 and share == _clamped(asked, share)]
    return min(allowed, key=lambda value: abs(math.log(value / getattr(asked, field))), default=None)


def _clamped(asked: BudgetConfig, share: float) -> float:
    """The nearest share of the embedding that ``max_deviation`` allows."""
    lowest, highest = (asked.embedding_ratio * (1 + sign * asked.max_deviation) for sign in (-1, 1))
    return min(max(share, lowest), highest)


def _around(depth: float) -> set[int]:
    return {layers for layers in (math.floor(depth), math.ceil(depth)) if layers > 0}
