"""Shapes of a decoder-only language model for a parameter budget, and the one nearest to what is asked.

Of all shapes whose exact count lies within 0.5 % of the budget, the nearest has the least sqrt(a² + b²), where a and b
are the relative deviations of the embedding's share and of the SwiGLU expansion from those asked, at equal weight. The
count is in closed form, so that a search needs no torch; a test holds it to the built model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from cetd.config import DecoderConfig
from cetd.config.budget import BudgetConfig

Ratio = Literal["embedding_ratio", "glu_expansion"]
RATIOS: tuple[Ratio, ...] = ("embedding_ratio", "glu_expansion")
# Depths tried beside the one whose count comes nearest with the d_ff asked: in a narrow, deep model that one may have
# no d_ff within the count's tolerance. Far deeper models have several such depths at any d_ff.
_MARGIN, _MOST_MARGIN = 1, 16


def decoder_parameters(asked: BudgetConfig, d_model: int, d_ff: int, n_layers: int) -> int:
    """Parameters of a :class:`~cetd.models.decoder.Decoder` whose heads add up to ``d_model``, as many KV as query."""
    embedding = asked.vocab_size * parameters_per_token(asked, d_model)
    return embedding + n_layers * layer_parameters(d_model, d_ff) + parameters_apart(asked, d_model)


def layer_parameters(d_model: int, d_ff: int) -> int:
    """Parameters of one layer: four projections, three matrices of the SwiGLU block, two norms."""
    return 4 * d_model**2 + 3 * d_model * d_ff + 2 * d_model


@dataclass(frozen=True)
class Allocation:
    """A shape for what was asked, and what it achieves."""

    asked: BudgetConfig
    d_model: int
    n_layers: int
    d_ff: int

    @property
    def total(self) -> int:
        """Parameters of the whole model."""
        return decoder_parameters(self.asked, self.d_model, self.d_ff, self.n_layers)

    @property
    def embedding_ratio(self) -> float:
        """Share of the embedding, and of an untied head, in the total."""
        return self.asked.vocab_size * parameters_per_token(self.asked, self.d_model) / self.total

    @property
    def glu_expansion(self) -> float:
        """``d_ff`` / ``d_model``."""
        return self.d_ff / self.d_model

    def deviation(self, ratio: Ratio) -> float:
        """By how much the ratio misses what was asked, relative to it; negative where it is below."""
        return getattr(self, ratio) / getattr(self.asked, ratio) - 1

    @property
    def distance(self) -> float:
        """From what was asked; the search minimises it."""
        return math.hypot(*(self.deviation(ratio) for ratio in RATIOS))

    def model(self) -> DecoderConfig:
        """The model of this shape."""
        heads = self.asked.n_heads
        return DecoderConfig(
            vocab_size=self.asked.vocab_size,
            d_model=self.d_model,
            d_ff=self.d_ff,
            d_head=self.d_model // heads,
            n_heads=heads,
            n_kv_heads=heads,
            n_layers=self.n_layers,
            tied_lm_head=self.asked.tied_lm_head,
            positions=self.asked.positions,
            max_positions=self.asked.max_positions,
        )


def nearest(asked: BudgetConfig, free: Ratio | None = None) -> Allocation | None:
    """The nearest shape whose ratios, but for the one that is ``free``, keep to ``max_deviation``; None without one."""
    bound: list[Ratio] = [ratio for ratio in RATIOS if ratio != free]
    within = widths(asked) if free == "embedding_ratio" else _widths_near_share(asked)
    allowed = [
        shape
        for shape in _shapes(asked, within)
        if all(abs(shape.deviation(ratio)) <= asked.max_deviation for ratio in bound)
    ]
    return min(allowed, key=lambda shape: shape.distance, default=None)


def widths(asked: BudgetConfig) -> range:
    """Every ``d_model`` that the heads divide into even sizes, up to where the projections alone are the budget."""
    step = 2 * asked.n_heads
    return range(step, max(math.isqrt(asked.total_params // 4), step) + 1, step)


def width_inside(asked: BudgetConfig, d_model: int) -> int:
    """The ``d_ff`` with the expansion asked."""
    return max(1, round(asked.glu_expansion * d_model))


def parameters_per_token(asked: BudgetConfig, d_model: int) -> int:
    """What one more token in the vocabulary costs: a row of the embedding, and of the head where it is untied."""
    return d_model if asked.tied_lm_head else 2 * d_model


def parameters_apart(asked: BudgetConfig, d_model: int) -> int:
    """What depends on the width alone: the last norm, and learned positions."""
    return d_model + (asked.max_positions * d_model if asked.positions == "learned" else 0)


def _widths_near_share(asked: BudgetConfig) -> list[int]:
    """The widths at which the embedding's share may keep to ``max_deviation``."""
    least, most = _counts(asked)
    scale = asked.embedding_ratio / (asked.vocab_size * parameters_per_token(asked, 1))
    narrowest, widest = scale * (1 - asked.max_deviation) * least, scale * (1 + asked.max_deviation) * most
    return [d_model for d_model in widths(asked) if narrowest <= d_model <= widest]


def _shapes(asked: BudgetConfig, within: Iterable[int]) -> Iterator[Allocation]:
    """Of each width and likely depth: the ``d_ff`` nearest to that asked, and the ends of what the count allows."""
    least, most = _counts(asked)
    for d_model in within:
        wanted = width_inside(asked, d_model)
        rest = asked.total_params - Allocation(asked, d_model, n_layers=0, d_ff=0).total
        depth = rest // layer_parameters(d_model, wanted)
        margin = min(_MARGIN + depth // 4, _MOST_MARGIN)
        for n_layers in range(max(1, depth - margin), depth + margin + 2):
            without = Allocation(asked, d_model, n_layers, d_ff=0).total
            unit = 3 * d_model * n_layers  # parameters per step of d_ff
            narrowest, widest = max(1, -((without - least) // unit)), (most - without) // unit
            if narrowest <= widest:
                for d_ff in {narrowest, min(max(wanted, narrowest), widest), widest}:
                    yield Allocation(asked, d_model, n_layers, d_ff)


def _counts(asked: BudgetConfig) -> tuple[int, int]:
    """The least and the greatest count within 0.5 % of the total."""
    slack = asked.total_params // 200
    return asked.total_params - slack, asked.total_params + slack
