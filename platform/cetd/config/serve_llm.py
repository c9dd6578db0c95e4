"""What ``serve.llm:app`` is told: the decoder-only models to serve, and what their engines may use."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from cetd.config.models import DecoderConfig
from cetd.config.section import Name, Natural, NonNegative, Positive, PositiveFloat, Section
from cetd.config.serve import AccessConfig
from cetd.config.training import OptimizerConfig, PretrainConfig


class ServedLLMConfig(Section):
    """One decoder-only model, and the engines that run it."""

    name: Name = Field(description="what clients write as `model`; unique")
    path: Path | None = Field(
        default=None,
        description="Hugging Face folder, readable on every node; unset: the newest model of that name that a feedback "
        "run has made, else a tiny one made on first use",
    )
    chat_template: str | None = Field(
        default=None,
        description="Jinja text that makes a prompt of a chat; unset: the model's own, else the contents of all "
        "messages, one below the other",
    )
    max_model_len: Positive | None = Field(
        default=None, description="most tokens of a prompt and its completion; unset: as many as the model knows"
    )
    max_concurrent: Positive = Field(default=32, description="requests that decode together on one replica")
    replicas: Positive = Field(default=1, description="engines that share the model's requests")
    cpus: PositiveFloat = Field(default=0.25, description="CPUs that Ray sets aside per replica")
    gpus: NonNegative = Field(
        default=0.0, description="GPUs per replica: 0 takes vLLM's CPU build, above 1 the model is split over them"
    )
    kv_cache_gb: PositiveFloat = Field(default=1.0, description="KV cache on CPU, in GiB")
    threads: Positive = Field(default=1, description="threads of an engine on CPU")

    @model_validator(mode="after")
    def _is_split_over_whole_gpus(self) -> ServedLLMConfig:
        if self.gpus > 1 and not self.gpus.is_integer():
            raise ValueError(f"gpus={self.gpus} is no whole number: use a part of one GPU, or 1, 2, 3 …")
        return self


class ServeLLMConfig(Section):
    """The arguments of ``serve.llm:app``."""

    runs: Path | None = Field(default=None, description="folder of all runs; unset: CETD_RUNS, else runs/ here")
    models: tuple[ServedLLMConfig, ...] = Field(min_length=1, description="the models that are served")
    max_queued: Natural = Field(default=64, description="requests that wait per model; further ones get 503")
    retry_after_s: Positive = Field(default=2, description="Retry-After of a 503")
    max_body_bytes: Positive = Field(default=1_048_576, description="larger bodies are refused with 413")
    access: AccessConfig = AccessConfig()
    ingresses: Positive = Field(default=1, description="replicas of the ingress, which answers HTTP")
    tiny: DecoderConfig = Field(
        default=DecoderConfig(d_model=64, d_ff=192, n_heads=2, n_kv_heads=2, n_layers=2),
        description="the model that is made where there is none",
    )
    pretrain: PretrainConfig = Field(
        default=PretrainConfig(
            steps=200,
            batch_size=16,
            optimizer=OptimizerConfig(learning_rate=4e-3, schedule="cosine", warmup_steps=20),
        ),
        description="what that model is taught",
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> ServeLLMConfig:
        # Deployments are named after models, with `_` for `.`.
        names = [model.name.replace(".", "_") for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models: names must be unique (. and _ are one), got {[m.name for m in self.models]}")
        return self
