"""What is asked of apps that are made out of real code; :mod:`cetd.data.recorded` makes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from cetd.config.section import Fraction, Natural, Positive, PositiveFloat, Section

ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


class SplitConfig(Section):
    """The modules of one split, and how many apps are taken from them."""

    modules: tuple[ModuleName, ...] = Field(min_length=1, description="dotted names; each is in one split only")
    apps: Positive = Field(description="apps of the split; the best covered functions first")


class RecipeConfig(Section):
    """Apps from one package, or a suite of three splits, and what each app has to reach."""

    package: ModuleName | None = Field(default=None, description="one module, or a package with the modules below it")
    train: SplitConfig | None = Field(default=None, description="instead of package, all three: apps to learn from")
    validation: SplitConfig | None = Field(default=None, description="apps that measure while tuning")
    heldout: SplitConfig | None = Field(default=None, description="apps that measure at the end")
    private: bool = Field(default=False, description="also functions whose names begin with an underscore")
    max_per_module: Positive | None = Field(default=None, description="apps of one module; unset: no limit")
    seed: Natural = Field(default=0, description="every draw derives from it; the same seed makes the same apps")
    inputs: Positive = Field(default=400, description="calls tried per function")
    max_tests: Positive = Field(default=24, description="tests of an app")
    min_tests: Positive = Field(default=4, description="an app with fewer is dropped")
    max_mutants: Positive = Field(default=40, description="mutants of an app; more are sampled")
    min_mutants: Positive = Field(default=5, description="a function with fewer is too small to be an app")
    min_mutation_score: Fraction = Field(
        default=0.7, description="share of mutants that the tests must fail; some equal the original and never do"
    )
    max_source_lines: Positive = Field(default=300, description="longest solution.py")
    timeout_s: PositiveFloat = Field(default=1.0, description="wall clock of an app's tests, at least")
    steps: Positive = Field(default=20_000, description="loop iterations and conditions of one call")
    cpu_s: Positive = Field(default=60, description="processor seconds of the process that records one function")
    memory_mb: Positive = Field(default=1024, description="address space of that process, in MiB")

    @property
    def splits(self) -> dict[str, SplitConfig]:
        """The splits that are asked for, by the name of their folder."""
        named = {"train": self.train, "validation": self.validation, "heldout": self.heldout}
        return {name: split for name, split in named.items() if split}

    @model_validator(mode="after")
    def _package_or_splits(self) -> RecipeConfig:
        if self.package and self.splits:
            raise ValueError(f"package={self.package}: not together with {', '.join(self.splits)}; give one of them")
        if not self.package and len(self.splits) < 3:
            raise ValueError("package: unset; give it, or all of train, validation and heldout")
        return self

    @model_validator(mode="after")
    def _a_module_is_in_one_split(self) -> RecipeConfig:
        homes: dict[str, str] = {}
        for name, split in self.splits.items():
            for module in split.modules:
                if module in homes:
                    raise ValueError(f"{name}.modules: {module!r} is in {homes[module]} as well; keep it in one")
                homes[module] = name
        return self

    @model_validator(mode="after")
    def _tests_are_a_range(self) -> RecipeConfig:
        if self.min_tests > self.max_tests:
            raise ValueError(f"min_tests={self.min_tests} must not exceed max_tests={self.max_tests}")
        return self
