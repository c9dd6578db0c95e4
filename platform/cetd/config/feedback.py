"""The whole of ``python -m jobs.feedback``: policy, reconstruction LLMs, loop, reward, learner, sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from cetd.config.apps import FolderAppsConfig, MicroAppsConfig
from cetd.config.models import DecoderConfig, EncoderDecoderConfig
from cetd.config.section import Name, Natural, NonNegative, Positive, PositiveFloat, Section
from cetd.config.training import OptimizerConfig, PretrainConfig


class SamplingConfig(Section):
    """How tokens are drawn."""

    temperature: NonNegative = Field(default=1.0, description="0 is greedy")
    top_k: Natural = Field(default=0, description="keep the k likeliest tokens; 0 keeps all")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="keep the smallest nucleus of this mass"
    )
    max_new_tokens: Positive = Field(default=64, description="longest output in tokens")


class PolicyConfig(Section):
    """The policy: CET-D, where it starts from, and how many replicas generate."""

    name: Name = Field(default="cetd", description="name in logs and reports")
    path: Path | None = Field(default=None, description="Hugging Face folder to start from; unset: made by `pretrain`")
    model: EncoderDecoderConfig = EncoderDecoderConfig()
    pretrain: PretrainConfig = Field(
        PretrainConfig(steps=800), description="first stage: source to complete requirements"
    )
    mixture: PretrainConfig = Field(
        PretrainConfig(steps=150), description="second stage: vague wordings and all dialects mixed in"
    )
    sampling: SamplingConfig = SamplingConfig()
    max_source_tokens: Positive = Field(default=256, description="longer sources are refused")
    replicas: Positive = Field(default=1, description="policy actors")
    cpus: PositiveFloat = Field(default=0.25, description="CPUs that Ray sets aside per actor")
    gpus: NonNegative = Field(default=0.0, description="GPUs per actor")


class EngineLimits(Section):
    """Health and patience of one engine."""

    request_timeout_s: PositiveFloat = Field(default=120.0, description="deadline of one request; past it: retried")
    max_retries: Natural = Field(default=2, description="further tries of a failed request before it is unscored")
    backoff_s: PositiveFloat = Field(default=1.0, description="first wait before a restart; doubles each time")
    max_backoff_s: PositiveFloat = Field(default=60.0, description="longest wait before a restart")
    start_timeout_s: PositiveFloat = Field(default=300.0, description="an engine that is not ready by then is dead")
    wait_when_down_s: NonNegative = Field(
        default=5.0,
        description="a request waits so long for a dead engine's restart; past it, the run goes on at quorum",
    )


class LLMConfig(Section):
    """One reconstruction LLM and the engine that runs it."""

    name: Name = Field(description="name in logs, rollouts and reports; unique")
    engine: Literal["vllm", "openai"] = Field(
        default="vllm", description="in a Ray actor, or an OpenAI-compatible endpoint"
    )
    path: Path | None = Field(default=None, description="Hugging Face folder; unset: made by `pretrain` (vllm only)")
    base_url: str | None = Field(default=None, description="endpoint of the openai engine, ending in /v1")
    api_key_env: str | None = Field(default=None, description="environment variable that holds the endpoint's key")
    served_model: str | None = Field(default=None, description="model name at the endpoint; unset: `name`")
    model: DecoderConfig = DecoderConfig()
    pretrain: PretrainConfig = PretrainConfig()
    dialects: tuple[str, ...] = Field(default=("plain",), min_length=1, description="dialects the LLM is taught")
    sampling: SamplingConfig = SamplingConfig(temperature=0.0)
    limits: EngineLimits = EngineLimits()
    cpus: PositiveFloat = Field(default=0.25, description="CPUs that Ray sets aside for the engine")
    gpus: NonNegative = Field(default=0.0, description="GPUs of the engine")
    kv_cache_gb: PositiveFloat = Field(default=1.0, description="KV cache on CPU, in GiB")
    threads: Positive = Field(default=1, description="threads of the CPU engine")

    @model_validator(mode="after")
    def _engine_has_what_it_needs(self) -> LLMConfig:
        if self.engine == "openai" and not self.base_url:
            raise ValueError("base_url is unset: engine=openai needs the endpoint's URL, such as http://host:8000/v1")
        if self.engine == "vllm" and self.base_url:
            raise ValueError(f"base_url={self.base_url} is for engine=openai: unset it or change the engine")
        return self


class LoopConfig(Section):
    """The streaming loop."""

    iterations: Natural = Field(default=100, description="policy updates; 0 measures the policy and ends")
    apps_per_iteration: Positive = Field(default=16, description="groups per update")
    group_size: Annotated[int, Field(ge=2)] = Field(default=8, description="rollouts per app and policy version")
    max_staleness: Natural = Field(default=2, description="0 is synchronous; k uses rollouts up to k versions old")
    chunk_apps: Positive = Field(default=16, description="apps that travel together in the streaming mode")
    checkpoint_every: Positive = Field(default=10, description="iterations between checkpoints")
    keep_checkpoints: Positive = Field(default=2, description="checkpoints kept")
    evaluate_every: Natural = Field(
        default=0, description="iterations between held-out evaluations; 0: before and after only"
    )


class FeedbackConfig(Section):
    """Reward, advantage and loss."""

    reward_scale: PositiveFloat = Field(default=1.0, description="factor on the reward")
    variance_penalty: NonNegative = Field(default=0.1, description="weight of the spread between LLMs")
    spread: Literal["variance", "std"] = Field(default="variance", description="how the spread is measured")
    quorum: Positive = Field(default=2, description="fewest scored LLMs for a rollout to count")
    leakage_penalty: NonNegative = Field(default=0.5, description="weight of the verbatim overlap with the source")
    leakage_ngram: Positive = Field(default=8, description="length in tokens of the n-grams compared with the source")
    advantage: Literal["grpo", "grpo-no-std", "rloo", "none"] = Field(
        default="grpo", description="baseline within the group"
    )
    loss: Literal["clipped", "reward-weighted"] = Field(default="clipped", description="policy loss")
    clip_ratio: PositiveFloat = Field(default=0.2, description="importance ratios are clipped to 1 ± this")
    kl_weight: NonNegative = Field(default=0.0, description="weight of the k3 KL estimate to the starting policy")
    shuffle_rewards: bool = Field(default=False, description="control run: rewards are permuted over the batch")


class LearnerConfig(Section):
    """The learner under Ray Train."""

    workers: Positive = Field(
        default=1, description="data-parallel workers; must divide apps_per_iteration * group_size"
    )
    optimizer: OptimizerConfig = OptimizerConfig(clip=0.5)
    minibatches: Positive = Field(
        default=1, description="optimizer steps per iteration, over disjoint parts of the batch"
    )
    max_failures: Natural = Field(default=3, description="worker restarts before the run fails")
    cpus: PositiveFloat = Field(default=0.25, description="CPUs that Ray sets aside per worker")
    gpus: NonNegative = Field(default=0.0, description="GPUs per worker")


class SandboxConfig(Section):
    """Limits of one test run, and how many run at once."""

    replicas: Positive = Field(default=1, description="sandbox actors")
    slots: Positive = Field(default=2, description="runs at once per actor")
    timeout_s: PositiveFloat = Field(
        default=2.0,
        description="least wall clock of an app's tests, past which the whole tree is killed; where ten times what its "
        "reference took is more, an app has that",
    )
    cpu_s: Positive = Field(default=2, description="RLIMIT_CPU in seconds")
    memory_mb: Positive = Field(default=256, description="RLIMIT_AS in MiB")
    isolation: Literal["landlock", "namespaces", "cgroups", "gvisor"] = Field(
        default="namespaces",
        description="the least to run programs under: landlock also where there are no namespaces to be had, cgroups "
        "only where the memory of a whole run can be bounded too, gvisor only under a kernel of their own (runsc)",
    )
    processes: Natural = Field(default=16, description="processes and threads of one run")
    file_mb: Positive = Field(default=8, description="RLIMIT_FSIZE and the size of /tmp, in MiB")
    output_kb: Positive = Field(default=64, description="output kept per run in KiB; the rest is drained and dropped")
    max_retries: Natural = Field(default=2, description="further tries when the sandbox itself fails")
    admission_runs: Positive = Field(default=2, description="times a reference must pass its tests to be admitted")
    cpus: PositiveFloat = Field(default=0.25, description="CPUs that Ray sets aside per actor")


class RunConfig(Section):
    """Where a run lives, and its seed."""

    name: Name = Field(default="feedback", description="runs/<name> is the run folder; the same name resumes")
    seed: Natural = Field(default=0, description="every draw of the run derives from it")
    root: Path | None = Field(
        default=None, description="folder of all runs; unset: runs/, or see README under ray job submit"
    )


class FeedbackJobConfig(Section):
    """The whole of ``python -m jobs.feedback``."""

    MAY_CHANGE = (
        "run.root",
        "loop.iterations",
        "loop.checkpoint_every",
        "loop.keep_checkpoints",
        "loop.evaluate_every",
    )

    run: RunConfig = RunConfig()
    apps: Annotated[
        Annotated[MicroAppsConfig, Tag("micro")] | Annotated[FolderAppsConfig, Tag("folder")],
        Discriminator(
            lambda apps: apps.get("kind", "micro") if isinstance(apps, dict) else getattr(apps, "kind", None)
        ),
    ] = Field(default=MicroAppsConfig(), description="where apps come from")
    tokenizer_vocab: Annotated[int, Field(ge=300)] = Field(
        default=1024, description="vocabulary of the tokenizer made here"
    )
    policy: PolicyConfig = Field(default=PolicyConfig.model_validate({}), description="the policy")
    llms: tuple[LLMConfig, ...] = Field(min_length=1, description="reconstruction LLMs")
    loop: LoopConfig = LoopConfig()
    feedback: FeedbackConfig = FeedbackConfig()
    learner: LearnerConfig = LearnerConfig()
    sandbox: SandboxConfig = SandboxConfig()

    @model_validator(mode="after")
    def _parts_agree(self) -> FeedbackJobConfig:
        names = [llm.name for llm in self.llms]
        if len(set(names)) < len(names):
            raise ValueError(f"llms: names must be unique, got {names}")
        if self.feedback.quorum > len(names):
            raise ValueError(
                f"feedback.quorum={self.feedback.quorum} exceeds the {len(names)} reconstruction LLMs: lower it"
            )
        rows = self.loop.apps_per_iteration * self.loop.group_size
        if rows % (self.learner.workers * self.learner.minibatches):
            raise ValueError(
                f"learner.workers={self.learner.workers} x learner.minibatches={self.learner.minibatches} must divide "
                f"the {rows} rollouts of an iteration (loop.apps_per_iteration x loop.group_size)"
            )
        return self
