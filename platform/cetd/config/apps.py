"""Where apps come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cetd.config.section import Natural, Positive, Section


class MicroAppsConfig(Section):
    """Generated apps: functions composed of parameterised steps and a reducer."""

    kind: Literal["micro"] = Field(
        default="micro", description="micro: generated; folder: folders with an app.yaml each"
    )
    train: Positive = Field(default=4000, description="apps to learn from")
    heldout: Positive = Field(
        default=64, description="apps that measure the policy; their compositions are not in train"
    )
    heldout_set: Literal["validation", "test"] = Field(
        default="validation", description="validation is for tuning; test was never looked at while tuning"
    )
    families: tuple[Literal["list", "int", "string"], ...] = Field(
        default=("list",), min_length=1, description="what the functions take: lists, ints, strings"
    )
    min_steps: Positive = Field(default=1, description="fewest steps of an app")
    max_steps: Annotated[int, Field(ge=1, le=4)] = Field(default=2, description="most steps of an app")
    tests_per_app: Positive = Field(default=6, description="assertions per app, each obtained by running the reference")
    seed: Natural = Field(default=0, description="seed of the generator; the run's seed does not change the apps")

    @model_validator(mode="after")
    def _steps_are_a_range(self) -> MicroAppsConfig:
        if self.min_steps > self.max_steps:
            raise ValueError(f"min_steps={self.min_steps} must not exceed max_steps={self.max_steps}")
        return self


class FolderAppsConfig(Section):
    """Apps that are there: folders that hold an ``app.yaml`` each, zip files of such, or HumanEval or MBPP."""

    kind: Literal["folder"] = Field(default="folder", description="as above")
    train: Path = Field(description="apps to learn from: a folder of app folders, a zip file, or JSON Lines")
    heldout: Path = Field(description="apps that measure the policy, likewise")
