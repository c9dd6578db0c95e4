"""The typed configuration tree: YAML files plus dotted overrides become frozen, validated objects.

Every default lives here, in the type; presets in ``configs/`` say only what differs. Unknown keys are refused,
and a wrong key, type or value is reported as one line that names the field, the value and what is allowed
(:class:`ConfigError`). Knows nothing of torch or Ray, so that ``--help`` and a wrong key answer at once.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line for the user."""


class Section(BaseModel):
    """A node of the tree: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


# ------------------------------------------------------------------------------------------------ models


class EncoderDecoderConfig(Section):
    """Dimensions of a T5-family encoder-decoder."""

    vocab_size: Positive = Field(
        default=1024, description="rows of the embedding; set from the tokenizer where one is made"
    )
    d_model: Positive = Field(default=128, description="width of the residual stream")
    d_ff: Positive = Field(default=384, description="inner width of the feed-forward block")
    d_kv: Positive = Field(default=32, description="size of one attention head")
    n_heads: Positive = Field(
        default=4, description="attention heads; n_heads * d_kv may differ from d_model, as in T5"
    )
    encoder_layers: Positive = Field(default=3, description="layers of the encoder")
    decoder_layers: Positive = Field(default=3, description="layers of the decoder")
    feed_forward: Literal["relu", "gated-gelu"] = Field(
        default="relu", description="T5 v1.0 uses relu, v1.1 gated-gelu"
    )
    tied_lm_head: bool = Field(
        default=True, description="share the embedding with the output head (scaled by d_model**-0.5)"
    )
    relative_buckets: Annotated[int, Field(ge=4)] = Field(default=32, description="relative position buckets")
    relative_max_distance: Positive = Field(default=128, description="distance from which all positions share a bucket")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="dropout rate while training")
    norm_eps: PositiveFloat = Field(default=1e-6, description="epsilon of T5's RMS norm")

    @model_validator(mode="after")
    def _distances_fit_buckets(self) -> EncoderDecoderConfig:
        if self.relative_max_distance <= self.relative_buckets // 2:
            raise ValueError(
                f"relative_max_distance={self.relative_max_distance} must exceed half of "
                f"relative_buckets={self.relative_buckets}: raise it above {self.relative_buckets // 2}"
            )
        return self


class DecoderConfig(Section):
    """Dimensions of a Llama-family decoder-only language model."""

    vocab_size: Positive = Field(
        default=1024, description="rows of the embedding; set from the tokenizer where one is made"
    )
    d_model: Positive = Field(default=128, description="width of the residual stream")
    d_ff: Positive = Field(default=384, description="inner width of the SwiGLU block")
    d_head: Positive = Field(default=32, description="size of one attention head; even, because RoPE rotates pairs")
    n_heads: Positive = Field(default=4, description="query heads")
    n_kv_heads: Positive = Field(
        default=4, description="key and value heads; divides n_heads (grouped-query attention)"
    )
    n_layers: Positive = Field(default=4, description="layers")
    tied_lm_head: bool = Field(default=True, description="share the embedding with the output head")
    max_positions: Positive = Field(default=256, description="longest sequence")
    rope_theta: PositiveFloat = Field(default=10_000.0, description="base of the rotary frequencies")
    norm_eps: PositiveFloat = Field(default=1e-6, description="epsilon of the RMS norm")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="dropout rate while training")

    @model_validator(mode="after")
    def _heads_divide(self) -> DecoderConfig:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_kv_heads={self.n_kv_heads} must divide n_heads={self.n_heads}")
        if self.d_head % 2:
            raise ValueError(f"d_head={self.d_head} must be even: RoPE rotates pairs")
        return self


# ---------------------------------------------------------------------------------------------- training


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


# -------------------------------------------------------------------------------------------------- apps


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
    """Apps from folders that hold an ``app.yaml`` each."""

    kind: Literal["folder"] = Field(default="folder", description="as above")
    train: Path = Field(description="folder of app folders to learn from")
    heldout: Path = Field(description="folder of app folders that measure the policy")


# ------------------------------------------------------------------------------------------------- policy


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


# ------------------------------------------------------------------------------------ reconstruction LLMs


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


# ----------------------------------------------------------------------------------------------- feedback


class LoopConfig(Section):
    """The streaming loop."""

    iterations: Positive = Field(default=100, description="policy updates")
    apps_per_iteration: Positive = Field(default=16, description="groups per update")
    group_size: Annotated[int, Field(ge=2)] = Field(default=8, description="rollouts per app and policy version")
    max_staleness: Natural = Field(default=2, description="0 is synchronous; k uses rollouts up to k versions old")
    chunk_apps: Positive = Field(default=8, description="apps that travel together in the streaming mode")
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
    timeout_s: PositiveFloat = Field(default=2.0, description="wall clock of one app's tests; the whole tree is killed")
    cpu_s: Positive = Field(default=2, description="RLIMIT_CPU in seconds")
    memory_mb: Positive = Field(default=256, description="RLIMIT_AS in MiB")
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


# ------------------------------------------------------------------------------------------------ loading

Root = TypeVar("Root", bound=Section)


def load(root: type[Root], path: Path | None = None, overrides: list[str] | tuple[str, ...] = ()) -> Root:
    """Read YAML from ``path``, apply ``a.b=value`` overrides (values are YAML), and validate.

    A file may name another with ``base: other.yaml`` (relative to itself) and then says only what differs.
    List items are addressed by index: ``llms.0.name=x``.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    tree = _read(path) if path else {}
    for override in overrides:
        _apply(tree, override)
    return validate(root, tree)


def validate(root: type[Root], tree: dict[str, Any]) -> Root:
    """Validate a plain tree; see :func:`load` for the error."""
    try:
        return root.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_one_line(root, error)) from None


def dump(config: Section) -> str:
    """The resolved configuration as YAML, for ``config.yaml`` in the run folder."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def describe(root: type[Section], prefix: str = "") -> list[tuple[str, str, str]]:
    """Rows (dotted field, default, description) of the whole tree, for ``--help``."""
    rows = []
    for name, field in root.model_fields.items():
        default = field.get_default(call_default_factory=False)
        dotted = f"{prefix}{name}"
        if isinstance(default, Section):
            rows += describe(type(default), f"{dotted}.")
        elif name == "llms":
            rows += describe(LLMConfig, f"{dotted}.N.")
        else:
            shown = "required" if field.is_required() else str(default)
            rows.append((dotted, shown, field.description or ""))
    return rows


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"config={path}: no such file; presets are under configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config={path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config={path}: not YAML: {' '.join(str(error).split())}") from None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"config={path}: expected a mapping of sections, got {type(tree).__name__}")
    base = tree.pop("base", None)
    return _merge(_read(path.parent / base), tree) if base else tree


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _apply(tree: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"{override!r} is not an override: write section.field=value, such as loop.group_size=8")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{dotted}={text!r}: the value is not YAML") from None
    *parents, last = dotted.split(".")
    node: Any = tree
    for position, key in enumerate(parents):
        if isinstance(node, list):
            node = node[_index(node, key, dotted)]
        else:
            if node.get(key) is None:
                node[key] = {}
            node = node[key]
        if not isinstance(node, (dict, list)):
            raise ConfigError(f"{dotted}: {'.'.join(parents[: position + 1])} is a value, not a section")
    if isinstance(node, list):
        node[_index(node, last, dotted)] = value
    else:
        node[last] = value


def _index(items: list[Any], key: str, dotted: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise ConfigError(f"{dotted}: {key!r} is no item of a list of {len(items)}: use 0 to {len(items) - 1}")
    return int(key)


def _one_line(root: type[Section], error: ValidationError) -> str:
    first = error.errors()[0]
    # Tags of discriminated unions appear in the location but are not something that a user writes.
    location = [str(part) for part in first["loc"] if str(part) not in ("micro", "folder")]
    field, value = ".".join(location), first["input"]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = [row[0] for row in describe(root)]
        near = difflib.get_close_matches(field, known, n=1)
        section = field.rpartition(".")[0]
        siblings = [name for name in known if name.rpartition(".")[0] == section] or known
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(siblings)}"
        return f"{field}: unknown key; {remedy}{more}"
    if first["type"] == "missing":
        return f"{field}: required, but not given{more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{field + ': ' if field else ''}{message}{more}"
    return f"{field}={value!r}: {message[0].lower()}{message[1:]}{more}"
