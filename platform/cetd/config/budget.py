"""What is asked of a parameter budget; :mod:`cetd.models.budget` finds the shape."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cetd.config.section import Positive, Section


class BudgetConfig(Section):
    """How a decoder-only language model is to spend its parameters."""

    total_params: Annotated[int, Field(gt=0, le=10**12)] = Field(
        default=10_000_000, description="parameters of the whole model; met within 0.5 %"
    )
    vocab_size: Positive = Field(default=16_000, description="rows of the embedding")
    embedding_ratio: Annotated[float, Field(ge=1e-6, le=0.99)] = Field(
        default=0.35, description="share of the embedding, and of an untied head, in all parameters"
    )
    glu_expansion: Annotated[float, Field(ge=0.25, le=64)] = Field(
        default=2.66, description="d_ff / d_model of the SwiGLU block"
    )
    n_heads: Annotated[int, Field(gt=0, le=1024)] = Field(
        default=8, description="attention heads; d_model is an even multiple of it"
    )
    tied_lm_head: bool = Field(default=True, description="share the embedding with the output head")
    positions: Literal["rotary", "learned"] = Field(
        default="rotary", description="learned ones are parameters: d_model for each of max_positions"
    )
    max_positions: Positive = Field(default=1024, description="longest sequence")
    max_deviation: Annotated[float, Field(ge=0.01, lt=1)] = Field(
        default=0.25,
        description="refuse what misses embedding_ratio or glu_expansion by more, relative to what was asked",
    )
