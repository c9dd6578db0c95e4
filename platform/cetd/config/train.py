"""The whole of ``python -m jobs.train``: model, data, optimizer, parallelism, checkpoints, and when to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cetd.config.apps import MicroAppsConfig
from cetd.config.feedback import RunConfig
from cetd.config.models import DecoderConfig, ModelConfig
from cetd.config.section import Natural, NonNegative, Positive, PositiveFloat, Section
from cetd.config.training import OptimizerConfig


class DataConfig(Section):
    """Pairs of texts (Parquet or JSON lines with the columns ``input`` and ``target``, or those of micro-apps), or
    packed tokens.
    """

    train: Path | None = Field(default=None, description="file or folder of *.parquet or *.jsonl to learn from")
    validation: Path | None = Field(default=None, description="the same for evaluation; unset: none")
    micro: MicroAppsConfig | None = Field(
        default=None, description="instead of files: sources of generated apps, and their requirements"
    )
    packed: Path | None = Field(
        default=None,
        description="instead of pairs, for decoder-only models: the packed/ that jobs.data leaves, with its tokenizer "
        "and validation",
    )
    row_length: Positive | None = Field(
        default=None, description="of packed data: cut its rows into shorter ones of so many tokens; unset: as they are"
    )
    validation_rows: Positive | None = Field(
        default=None, description="of packed data: evaluate on so many rows, spread over all; unset: on all"
    )
    max_input_tokens: Positive = Field(default=2048, description="longest input")
    max_output_tokens: Positive = Field(default=512, description="longest target, its end token included")
    too_long: Literal["refuse", "truncate"] = Field(
        default="refuse", description="what becomes of longer texts: refused before training begins, or cut"
    )

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        sources = [name for name in ("train", "micro", "packed") if getattr(self, name) is not None]
        if len(sources) != 1:
            raise ValueError(
                "train, micro and packed: give one of them, the files to learn from, the apps to generate, or packed "
                f"tokens; given: {', '.join(sources) or 'none'}"
            )
        if self.train is None and self.validation:
            raise ValueError(f"validation={self.validation}: {sources[0]} brings its own; unset it")
        for name in ("row_length", "validation_rows"):
            if self.packed is None and getattr(self, name):
                raise ValueError(f"{name}={getattr(self, name)}: for data.packed, which is unset")
        return self


class RewardWeightingConfig(Section):
    """Weights of examples from the pass rates of their reconstructions: the column ``pass_rates``, a list per row."""

    scale: PositiveFloat = Field(default=1.0, description="factor on the weight")
    variance_penalty: NonNegative = Field(default=0.1, description="weight of the variance between LLMs")


class EarlyStopConfig(Section):
    """Stops when the validation loss no longer falls."""

    patience: Positive = Field(default=3, description="evaluations without improvement that end the run")
    min_delta: NonNegative = Field(default=0.001, description="a fall that is less than this is none")


class LossWatchConfig(Section):
    """Stops when the loss is no number, or far above what it was."""

    window: Positive = Field(default=50, description="steps that the median is taken over")
    factor: Annotated[float, Field(gt=1)] = Field(default=4.0, description="a loss above factor x median is a spike")
    steps: Positive = Field(default=5, description="spikes in a row that end the run")


class ParallelConfig(Section):
    """Processes under Ray Train: data-parallel replicas of tensor-parallel models."""

    workers: Positive = Field(default=1, description="processes; tensor must divide them")
    tensor: Positive = Field(default=1, description="processes that hold one replica between them")
    cpus: PositiveFloat = Field(default=1.0, description="CPUs, and threads, per worker")
    gpus: NonNegative = Field(default=0.0, description="GPUs per worker")
    max_failures: Natural = Field(default=3, description="restarts of the workers before the run fails")

    @model_validator(mode="after")
    def _tensor_divides(self) -> ParallelConfig:
        if self.workers % self.tensor:
            below = self.workers - self.workers % self.tensor
            nearest = f"{below} or {below + self.tensor}" if below else str(self.tensor)
            raise ValueError(f"workers={self.workers}: tensor={self.tensor} does not divide it; use {nearest}")
        return self


class DeepSpeedConfig(Section):
    """ZeRO: what the replicas share of the optimizer's work. For ``engine: deepspeed``."""

    stage: Literal[1, 2] = Field(
        default=1, description="1: AdamW's states are spread over the replicas; 2: gradients too"
    )
    offload: bool = Field(default=True, description="keep what is spread, and update, in the host's memory")


class TrackingConfig(Section):
    """Where metrics go beside the run's folder and its TensorBoard."""

    wandb_project: str | None = Field(default=None, description="project on Weights & Biases; unset: not used")
    mlflow_uri: str | None = Field(default=None, description="MLflow's tracking server or store; unset: not used")
    mlflow_experiment: str = Field(default="cetd", description="experiment on MLflow")


class CheckpointConfig(Section):
    """What is kept while training goes."""

    every: Positive = Field(default=500, description="optimizer steps between checkpoints; one more at the end")
    keep: Positive = Field(default=2, description="newest checkpoints kept, beside the one of the best evaluation")


class TrainJobConfig(Section):
    """The whole of ``python -m jobs.train``."""

    MAY_CHANGE = (
        *("run.root", "epochs", "max_steps", "pause_at", "evaluate_every", "checkpoint", "parallel", "early_stop"),
        "loss_watch",
        *("optimizer.learning_rate", "optimizer.clip", "recompute_activations", "engine", "deepspeed", "tracking"),
    )

    run: RunConfig = RunConfig(name="train")
    phase: Annotated[int, Field(ge=1, le=4)] = Field(default=1, description="which phase the run is, for its gate")
    model: ModelConfig = Field(description="dimensions, a preset's name, or {preset: name, field: value}")
    start: Path | None = Field(default=None, description="Hugging Face folder with weights; unset: drawn from the seed")
    tokenizer: Path | None = Field(default=None, description="folder with tokenizer.json; unset: made, for data.micro")
    data: DataConfig
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=5e-5, schedule="linear", warmup_steps=1000)
    epochs: PositiveFloat = Field(default=1.0, description="passes over the data")
    max_steps: Positive | None = Field(default=None, description="optimizer steps; unset: as the epochs give")
    pause_at: Positive | None = Field(
        default=None, description="step after which the run pauses, evaluated and with a checkpoint; raise it to go on"
    )
    batch_size: Positive = Field(default=4, description="examples per forward pass, over all replicas together")
    accumulation: Positive = Field(default=1, description="forward passes per optimizer step")
    reward_weighting: RewardWeightingConfig | None = Field(default=None, description="unset: all examples count alike")
    evaluate_every: Positive = Field(default=500, description="optimizer steps between evaluations")
    early_stop: EarlyStopConfig | None = Field(default=None, description="unset: the run goes to its end")
    loss_watch: LossWatchConfig = LossWatchConfig()
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        default="auto", description="auto: fp32 on CPU and Pascal, fp16 up to Turing, bf16 on newer cards"
    )
    recompute_activations: bool = Field(
        default=False, description="compute layers twice instead of keeping what backward needs of them"
    )
    parallel: ParallelConfig = ParallelConfig()
    engine: Literal["torch", "deepspeed"] = Field(default="torch", description="what applies gradients")
    deepspeed: DeepSpeedConfig = DeepSpeedConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    tracking: TrackingConfig = TrackingConfig()
    lr_finder: bool = Field(default=False, description="find a learning rate instead of training")

    @model_validator(mode="after")
    def _parts_agree(self) -> TrainJobConfig:
        replicas = self.parallel.workers // self.parallel.tensor
        if self.batch_size % replicas:
            nearest = self.batch_size + replicas - self.batch_size % replicas
            raise ValueError(f"batch_size={self.batch_size} does not divide among {replicas} replicas; use {nearest}")
        if self.engine == "deepspeed" and self.precision == "fp16":
            raise ValueError("precision=fp16: not with engine=deepspeed; use fp32, or bf16 where there is")
        if self.early_stop and self.data.train and self.data.validation is None:
            raise ValueError("early_stop: needs data.validation, which is unset")
        if self.tokenizer is None and self.data.train:
            raise ValueError("tokenizer: unset; give the folder of the tokenizer that the model was made for")
        if self.data.packed:
            self._packed_fits(self.data.packed)
            return self
        longest = self.data.max_input_tokens + self.data.max_output_tokens
        if isinstance(self.model, DecoderConfig) and longest > self.model.max_positions:
            raise ValueError(
                f"data.max_input_tokens + data.max_output_tokens = {longest} exceeds "
                f"model.max_positions={self.model.max_positions}; shorten them or raise it"
            )
        return self

    def _packed_fits(self, packed: Path) -> None:
        if not isinstance(self.model, DecoderConfig):
            raise ValueError(
                f"data.packed={packed}: packed tokens are for decoder-only models and model is {self.model.family}; "
                "give data.train"
            )
        if self.model.positions == "learned":
            raise ValueError(
                "model.positions=learned: a packed row holds several documents, whose learned positions would count "
                "from the row's start; use model.positions=rotary with data.packed"
            )
        if self.tokenizer not in (None, packed / "tokenizer"):
            raise ValueError(f"tokenizer={self.tokenizer}: data.packed brings its own; unset it")
        if self.reward_weighting:
            raise ValueError("reward_weighting: packed tokens have no pass rates; unset it, or give data.train")
