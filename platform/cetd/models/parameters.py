"""The parameter table of a model configuration: how many parameters each component has.

Counted from the model itself, built without memory on the meta device, so that table and model cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder

COMPONENTS = ("embedding", "positions", "attention", "feed-forward", "norms", "head")

# A parameter belongs to the first component with a mark in its name: feed_forward_norm.weight is a norm, and
# positions.embedding.weight holds positions.
_MARKS = {
    "positions": ("positions",),
    "norms": ("norm",),
    "attention": ("attention", "attn"),
    "feed-forward": ("feed_forward", "mlp"),
    "head": ("lm_head",),
    "embedding": ("embed",),
}


@dataclass(frozen=True)
class ParameterTable:
    """Parameters by component, in the order of :data:`COMPONENTS`; a tied head and rotary positions have none."""

    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Parameters of the whole model."""
        return sum(self.counts.values())

    def share(self, component: str) -> float:
        """The component's part of the total, from 0 to 1."""
        return self.counts[component] / self.total


def on_meta(config: EncoderDecoderConfig | DecoderConfig) -> EncoderDecoder | Decoder:
    """The model of ``config`` with the names and shapes of its parameters, and no memory behind them."""
    with torch.device("meta"):
        return EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)


def parameter_table(config: EncoderDecoderConfig | DecoderConfig) -> ParameterTable:
    """The exact table of the model that ``config`` describes; seconds, even for 70 billion parameters."""
    counts: dict[str, int] = dict.fromkeys(COMPONENTS, 0)
    for name, parameter in on_meta(config).named_parameters():
        counts[component_of(name)] += parameter.numel()
    return ParameterTable(counts)


def component_of(name: str) -> str:
    """The component that a parameter of this name belongs to, in either model family.

    Raises:
        ValueError: the name is of neither family.
    """
    for component, marks in _MARKS.items():
        if any(mark in name for mark in marks):
            return component
    raise ValueError(f"parameter {name} belongs to no component: known are {', '.join(COMPONENTS)}")
