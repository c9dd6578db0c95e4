"""The whole of ``python -m jobs.retrain``: which requests are learned from, how, and what a candidate has to show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from cetd.config.feedback import RunConfig
from cetd.config.section import Name, Positive, Section


class ExamplesConfig(Section):
    """Recorded requests with a verdict, which no earlier retraining has used."""

    folder: Path | None = Field(
        default=None, description="records of serving; unset: production/ in the folder of all runs"
    )
    at_least: Annotated[int, Field(ge=2)] = Field(default=20, description="fewer new ones: nothing is trained")
    at_most: Positive = Field(default=40, description="the oldest so many; the rest are for the next time")
    min_rating: Annotated[int, Field(ge=1, le=5)] = Field(
        default=4, description="ratings from here on, and what passed, are learned from; other verdicts are counted"
    )
    validation: Annotated[int, Field(ge=2)] = Field(
        default=5, description="one example in so many is kept back to tell when to stop"
    )

    @model_validator(mode="after")
    def _bounds_agree(self) -> ExamplesConfig:
        if self.at_most < self.at_least:
            raise ValueError(f"at_most={self.at_most} is below at_least={self.at_least}: raise it")
        if self.at_least < self.validation:
            raise ValueError(
                f"validation={self.validation}: at_least={self.at_least} leaves none to keep back; lower it"
            )
        return self


class ContestConfig(Section):
    """The gate: candidate against live model on the same held-out apps, rebuilt by the same LLMs."""

    preset: Path = Field(description="file of jobs.feedback: its held-out apps, LLMs, reward and sandbox are used")
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        default=0.95, description="that the candidate's mean reward is higher; with less it is rejected"
    )


class RetrainConfig(Section):
    """The whole of ``python -m jobs.retrain``."""

    MAY_CHANGE = ("run.root", "promote")

    run: RunConfig = RunConfig(name="retrain")
    model: Name = Field(default="cetd", description="model in the registry whose live version is trained on")
    examples: ExamplesConfig = ExamplesConfig()
    training: Path = Field(
        description="file of jobs.train with optimizer, epochs and parallelism; model, start, tokenizer and data come "
        "from the live version and the examples"
    )
    contest: ContestConfig
    promote: bool = Field(default=False, description="make a candidate that is registered the live version at once")
