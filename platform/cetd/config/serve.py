"""What the applications under ``serve/`` are told: the arguments of their builders in ``configs/serve/``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cetd.config.section import Name, Natural, NonNegative, Positive, PositiveFloat, Section


class ServedModelConfig(Section):
    """Which CET-D is served, and how it computes."""

    name: Name = Field(default="cetd", description="model in the registry whose live version is served")
    path: Path | None = Field(
        default=None,
        description="Hugging Face folder to serve instead; unset: the registry's live version, else the newest "
        "checkpoint of the run `demo`, else the policy of configs/feedback/tiny.yaml, made on first use",
    )
    demo: Name = Field(default="demo", description="run whose model is served while the registry has none")
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        default="auto", description="auto: bf16 on cards that have it, else fp32; int8: CPUs and P40s, by CTranslate2"
    )
    replicas: Positive = Field(default=1, description="replicas of the model; more where `max_replicas` is larger")
    max_replicas: Positive | None = Field(default=None, description="autoscaling up to so many; unset: none")
    cpus: NonNegative = Field(default=1.0, description="CPUs that Ray sets aside per replica, and its threads")
    gpus: NonNegative = Field(default=0.0, description="GPUs per replica")
    watch_s: PositiveFloat = Field(default=1.0, description="seconds between looks for a newly promoted version")


class BatchingConfig(Section):
    """The running decode batch."""

    max_rows: Positive = Field(default=32, description="most requests that decode together")
    max_batch_tokens: Positive = Field(
        default=32_768, description="most tokens, read and still to be written, of all requests that decode together"
    )
    max_input_tokens: Positive = Field(default=4096, description="longer inputs are refused with 413")
    max_new_tokens: Positive = Field(default=1024, description="most tokens that a request may ask for")
    default_new_tokens: Positive = Field(default=256, description="tokens of a request that does not say how many")

    @model_validator(mode="after")
    def _one_request_fits(self) -> BatchingConfig:
        longest = self.max_input_tokens + self.max_new_tokens
        if longest > self.max_batch_tokens:
            raise ValueError(
                f"max_batch_tokens={self.max_batch_tokens} holds no request of max_input_tokens + max_new_tokens = "
                f"{longest}: raise it or lower those"
            )
        if self.default_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"default_new_tokens={self.default_new_tokens} exceeds max_new_tokens={self.max_new_tokens}: lower it"
            )
        return self


class LimitsConfig(Section):
    """What a client may ask for, and how long it waits."""

    max_queued: Positive = Field(
        default=64, description="requests that wait for a replica, per gateway; others get 503"
    )
    retry_after_s: Positive = Field(default=2, description="Retry-After of a 503")
    max_body_bytes: Positive = Field(default=1_048_576, description="larger bodies are refused with 413")
    max_inputs: Positive = Field(default=32, description="texts in one request to /infer")
    deadline_s: PositiveFloat = Field(default=60.0, description="a request that takes longer ends with 504")
    cache_ttl_s: NonNegative = Field(default=300.0, description="how long an answer is kept; 0 keeps none")
    cache_bytes: Natural = Field(default=64 * 2**20, description="most bytes of kept answers per gateway")


class AccessConfig(Section):
    """Who may call."""

    keys: Literal["auto", "required", "off"] = Field(
        default="auto", description="auto: API keys are required unless Serve listens on a loopback address only"
    )
    keys_file: Path | None = Field(
        default=None,
        description="hashed API keys, as jobs.keys writes them; unset: keys.json in the folder of all runs",
    )
    requests_per_minute: Positive = Field(default=600, description="rate of a key that has none of its own")
    burst: Positive = Field(default=60, description="requests that a key may send at once")
    metrics: Literal["open", "loopback", "key"] = Field(
        default="loopback", description="who may read /metrics: anyone, this machine, or holders of an admin key"
    )


class RecordingConfig(Section):
    """Whether served requests are kept for phase 4."""

    enabled: bool = Field(default=False, description="keep redacted requests and answers, for verdicts and retraining")
    folder: Path | None = Field(default=None, description="unset: production/ in the folder of all runs")
    max_bytes: Positive = Field(default=256 * 2**20, description="most bytes on disk; the oldest leave first")
    max_age_days: PositiveFloat = Field(default=30.0, description="older records are removed")
    share: Annotated[float, Field(gt=0, le=1)] = Field(default=1.0, description="share of requests that is kept")


class EndpointConfig(Section):
    """A reconstruction LLM that the pipeline may use: an application here, or any OpenAI-compatible endpoint."""

    name: Name = Field(description="name that clients choose it by; unique")
    base_url: str = Field(description="the endpoint, ending in /v1; an application here: http://127.0.0.1:8000/llm/v1")
    served_model: str | None = Field(default=None, description="model name at the endpoint; unset: `name`")
    api_key_env: str | None = Field(default=None, description="environment variable that holds the endpoint's key")
    chat: bool = Field(default=True, description="chat completions; false: plain completions, for models without chat")
    max_new_tokens: Positive = Field(default=512, description="longest answer in tokens")


class ServeConfig(Section):
    """The arguments of ``serve.cetd:app``."""

    runs: Path | None = Field(default=None, description="folder of all runs; unset: CETD_RUNS, else runs/ here")
    seed: Natural = Field(default=0, description="seeds of requests that sample and bring none derive from it")
    model: ServedModelConfig = ServedModelConfig()
    batching: BatchingConfig = BatchingConfig()
    limits: LimitsConfig = LimitsConfig()
    access: AccessConfig = AccessConfig()
    recording: RecordingConfig = RecordingConfig()
    llms: tuple[EndpointConfig, ...] = Field(default=(), description="reconstruction LLMs of the pipeline")
    gateways: Positive = Field(default=1, description="replicas of the gateway, which answers HTTP")

    @model_validator(mode="after")
    def _names_are_unique(self) -> ServeConfig:
        names = [llm.name for llm in self.llms]
        if len(set(names)) < len(names):
            raise ValueError(f"llms: names must be unique, got {names}")
        return self
