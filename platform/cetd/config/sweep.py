"""The whole of ``python -m jobs.sweep``: the budget, the grid, how it is searched, and what a trial trains on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cetd.config.budget import BudgetConfig
from cetd.config.feedback import RunConfig
from cetd.config.section import Natural, NonNegative, Positive, PositiveFloat, Section
from cetd.config.training import OptimizerConfig

_Ratio = Annotated[float, Field(ge=1e-6, le=0.99)]
_Expansion = Annotated[float, Field(ge=0.25, le=64)]


class SweepBudgetConfig(Section):
    """What all cells have in common; vocabulary and positions are those of the data."""

    total_params: Annotated[int, Field(gt=0, le=10**12)] = Field(
        default=4_000_000, description="parameters of every model; met within 0.5 %"
    )
    n_heads: Annotated[int, Field(gt=0, le=1024)] = Field(
        default=4, description="attention heads; d_model is an even multiple of it"
    )
    max_deviation: Annotated[float, Field(ge=0.01, lt=1)] = Field(
        default=0.25, description="a cell whose ratios are missed by more, relative to what was asked, has no shape"
    )


class SpaceConfig(Section):
    """The grid: every combination of these values is a cell."""

    embedding_ratio: tuple[_Ratio, ...] = Field(
        default=(0.25, 0.35, 0.45), min_length=1, description="share of the embedding in all parameters"
    )
    glu_expansion: tuple[_Expansion, ...] = Field(
        default=(2.0, 2.66, 3.0, 4.0), min_length=1, description="d_ff / d_model of the SwiGLU block"
    )
    tied_lm_head: tuple[bool, ...] = Field(
        default=(True,), min_length=1, description="whether the embedding is shared with the output head"
    )
    learning_rate: tuple[PositiveFloat, ...] = Field(
        default=(), description="peak learning rates; empty: that of trial.optimizer"
    )

    @model_validator(mode="after")
    def _values_differ(self) -> SpaceConfig:
        for name in SpaceConfig.model_fields:
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name}={list(values)}: a value stands there twice; give each once")
        return self


class AshaConfig(Section):
    """Asynchronous successive halving (Li et al. 2020), the variant that promotes."""

    reduction: Annotated[int, Field(ge=2)] = Field(
        default=4, description="one of so many cells goes on from a rung; a rung has so many times the tokens before it"
    )
    rungs: Annotated[int, Field(ge=2)] = Field(default=3, description="rungs; the last is trial.tokens")


class SweepDataConfig(Section):
    """What all trials learn from."""

    packed: Path = Field(default=Path("runs/stdlib/packed"), description="folder packed/ that jobs.data leaves")
    recipe: Path | None = Field(
        default=None, description="configuration of jobs.data that packed is made from where it is missing"
    )
    row_length: Positive | None = Field(
        default=None, description="cut packed rows into shorter ones of so many tokens; unset: as they are"
    )
    validation_rows: Positive | None = Field(
        default=64, description="evaluate on so many rows, spread over all; unset: on all"
    )


class TrialConfig(Section):
    """How a cell is trained, and what a trial takes of the machine."""

    tokens: Positive = Field(default=2_000_000, description="token budget of every trial, in positions of packed rows")
    batch_size: Positive = Field(default=16, description="rows per forward pass")
    accumulation: Positive = Field(default=1, description="forward passes per optimizer step")
    optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=3e-3, schedule="cosine", warmup_steps=20, weight_decay=0.1, betas=(0.9, 0.95)
    )
    evaluations: Positive = Field(default=8, description="evaluations over the token budget, beside those at rungs")
    checkpoints: Positive = Field(default=8, description="checkpoints over the token budget, beside those at rungs")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(default="auto", description="as in jobs.train")
    workers: Positive = Field(default=1, description="processes of a trial; several run under Ray Train")
    tensor: Positive = Field(default=1, description="processes that hold one replica between them")
    cpus: PositiveFloat = Field(default=1.0, description="CPUs, and threads, per process; may be a fraction")
    gpus: NonNegative = Field(default=0.0, description="GPUs per process; may be a fraction")
    concurrency: Positive = Field(default=2, description="trials at once")
    max_failures: Natural = Field(default=2, description="restarts of a trial whose process is lost before it fails")


class SuiteConfig(Section):
    """The suite that scores the best cells beside the loss."""

    cells: Natural = Field(default=3, description="best cells that are scored; 0: none")
    items: Positive = Field(default=64, description="items per task")


class SweepJobConfig(Section):
    """The whole of ``python -m jobs.sweep``."""

    MAY_CHANGE = (
        *("run.root", "data.recipe", "trial.cpus", "trial.gpus", "trial.workers", "trial.tensor", "trial.concurrency"),
        *("trial.max_failures", "trial.checkpoints", "suite"),
    )

    run: RunConfig = RunConfig(name="sweep")
    budget: SweepBudgetConfig = SweepBudgetConfig()
    space: SpaceConfig = SpaceConfig()
    seeds: Positive = Field(default=2, description="seeds per cell: first weights and order of the data")
    search: Literal["grid", "optuna"] = Field(
        default="grid", description="which cells are tried: all of them, or those that Optuna's TPE proposes"
    )
    samples: Positive | None = Field(default=None, description="cells that search=optuna tries; unset: half of them")
    scheduler: Literal["asha", "none"] = Field(
        default="asha", description="asha trains the better cells on; none trains every cell to the end"
    )
    asha: AshaConfig = AshaConfig()
    metric: str = Field(
        default="validation_loss", description="reported metric that cells are ranked by; less is better"
    )
    data: SweepDataConfig = SweepDataConfig()
    trial: TrialConfig = TrialConfig()
    suite: SuiteConfig = SuiteConfig()

    @model_validator(mode="after")
    def _parts_agree(self) -> SweepJobConfig:
        if self.samples and self.search == "grid":
            raise ValueError(f"samples={self.samples}: search=grid tries all cells; unset it, or use search=optuna")
        if self.trial.workers % self.trial.tensor:
            raise ValueError(f"trial.workers={self.trial.workers}: trial.tensor={self.trial.tensor} does not divide it")
        replicas = self.trial.workers // self.trial.tensor
        if self.trial.batch_size % replicas:
            raise ValueError(
                f"trial.batch_size={self.trial.batch_size} does not divide among {replicas} replicas; "
                f"use {self.trial.batch_size + replicas - self.trial.batch_size % replicas}"
            )
        return self

    def budget_of(
        self, embedding_ratio: float, glu_expansion: float, tied: bool, vocab: int, length: int
    ) -> BudgetConfig:
        """The budget that a cell's model is chosen for, with the vocabulary and the row length of the data."""
        return BudgetConfig(
            **self.budget.model_dump(),
            vocab_size=vocab,
            max_positions=length,
            embedding_ratio=embedding_ratio,
            glu_expansion=glu_expansion,
            tied_lm_head=tied,
        )
