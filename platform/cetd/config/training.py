"""Optimizer, schedule and supervised training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cetd.config.section import Fraction, Natural, NonNegative, Positive, PositiveFloat, Section


class OptimizerConfig(Section):
    """AdamW and its schedule."""

    learning_rate: PositiveFloat = Field(default=5e-4, description="peak learning rate")
    betas: tuple[Fraction, Fraction] = Field(default=(0.9, 0.999), description="AdamW's moment decay rates")
    eps: PositiveFloat = Field(default=1e-8, description="AdamW's epsilon")
    weight_decay: NonNegative = Field(default=0.0, description="decoupled weight decay of matrices (never of norms)")
    schedule: Literal["constant", "linear", "cosine"] = Field(default="constant", description="decay after the warm-up")
    warmup_steps: Natural = Field(default=0, description="steps of linear warm-up")
    min_learning_rate: NonNegative = Field(default=0.0, description="where the decay ends")
    clip: PositiveFloat = Field(default=1.0, description="largest gradient norm")


class PretrainConfig(Section):
    """Supervised training of a model that the run makes for itself."""

    steps: Natural = Field(default=900, description="optimizer steps")
    batch_size: Positive = Field(default=32, description="examples per step")
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, schedule="cosine", warmup_steps=50)
