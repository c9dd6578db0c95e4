"""The memory of one training step per GPU: a pure function of the model and of how it is trained.

Counted for the first process, whose shares are the largest, and for training as the trainer does it: fp32 weights and
gradients, AdamW, autocast for fp16 and bf16, gradients accumulated over several passes. With one pass per step the peak
is at most this. ZeRO (Rajbhandari et al. 2020) spreads optimizer states (stage 1) and gradients (stage 2) over the
data-parallel replicas; offload (ZeRO-Offload, Ren et al. 2021) keeps them on the host. A test holds the figures of
a CPU to what PyTorch's allocator gives out; those of a GPU differ by its kernels, and assume that attention is fused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.parameters import on_meta
from cetd.parallel.deepspeed_engine import BUCKET
from cetd.parallel.shards import Shares, shard, shares
from cetd.training.activations import activations
from cetd.training.layer_activations import FULL, HALF, Pass
from cetd.training.precision import Precision

_MOMENTS = 2


@dataclass(frozen=True)
class Setting:
    """How a model is trained. ``rows`` are the examples of a replica's forward pass, lengths are in tokens.

    ``generated_rows`` are decoded at a time between steps (phase 3), 0 for none. ``on_cpu`` counts for a CPU, whose
    kernels keep other buffers.

    Raises:
        ValueError: the ZeRO stage is unknown, or offload is asked for without ZeRO.
    """

    rows: int
    input_tokens: int
    output_tokens: int
    precision: Precision = "fp32"
    tensor: int = 1
    replicas: int = 1
    zero: int = 0
    offload: bool = False
    recompute: bool = False
    generated_rows: int = 0
    on_cpu: bool = False

    def __post_init__(self) -> None:
        if self.zero not in (0, 1, 2):
            raise ValueError(f"zero={self.zero}: use stage 0, 1 or 2")
        if self.offload and not self.zero:
            raise ValueError("offload: moves what ZeRO spreads; use it with zero=1 or zero=2")


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU; ``host`` is bytes of this process in the host's memory.

    ``optimizer`` are moments, and with ZeRO the weights that it updates apart from those that the model computes with.
    The rest is not there all the time: ``activations`` is what backward needs at the end of a forward pass and
    ``transient`` what is there besides at its peak, ``gradients`` stand beside them; ``update`` is what stands beside
    weights and states while the optimizer steps, gradients included; ``kv_cache`` what generation allocates.
    """

    weights: int
    gradients: int
    optimizer: int
    communication: int
    activations: int
    transient: int
    update: int
    kv_cache: int
    host: int

    @property
    def total(self) -> int:
        """Bytes at the peak."""
        standing = self.weights + self.optimizer + self.communication
        return standing + max(self.gradients + self.activations + self.transient, self.update, self.kv_cache)


def memory(model: EncoderDecoderConfig | DecoderConfig, setting: Setting) -> Memory:
    """Bytes per GPU of training ``model`` so; no memory is allocated for it.

    Raises:
        MeshError: the tensor-parallel degree is more than the model's heads, units or tokens.
    """
    sizes = _held_sizes(model, setting.tensor)
    weights = FULL * sum(sizes)
    states = _states(setting, sizes)
    working = activations(
        Pass(
            model=model,
            rows=setting.rows,
            input_tokens=setting.input_tokens,
            output_tokens=setting.output_tokens,
            width=FULL if setting.precision == "fp32" else HALF,
            casts=0 if setting.precision == "fp32" else HALF * sum(sizes),
            tensor=setting.tensor,
            recompute=setting.recompute,
            fused=not setting.on_cpu,
        )
    )
    return Memory(
        weights=weights,
        gradients=states.gradients,
        optimizer=states.optimizer,
        communication=_communication(model, setting, sum(sizes)),
        activations=working.kept,
        transient=working.transient,
        update=states.update,
        kv_cache=_kv_cache(model, setting),
        host=states.host,
    )


@dataclass(frozen=True)
class _States:
    """Bytes of what the engine keeps, and of what it makes to step."""

    optimizer: int
    gradients: int
    update: int
    host: int


def _states(setting: Setting, sizes: tuple[int, ...]) -> _States:
    """Of the plain engine, or of DeepSpeed's ZeRO, whose share of everything is one of ``replicas``.

    A GPU's update is one kernel. On a CPU AdamW makes denominators: of the two largest parameters, and with ZeRO of its
    whole share. ZeRO updates weights of its own, and flattens its gradients for that.
    """
    weights, largest = FULL * sum(sizes), FULL * max(sizes)
    share = -(-weights // setting.replicas)
    if not setting.zero:
        denominators = 2 * largest if setting.on_cpu else 0
        return _States(_MOMENTS * weights, weights, weights + denominators, host=0)
    last_bucket = min(FULL * BUCKET, weights) if setting.zero == 2 else 0
    if setting.offload:
        # The host has the weights that are updated, their gradients twice, and with stage 2 the sum over passes; each
        # side has a place for the largest parameter.
        gradients = largest + (weights if setting.zero == 1 else 0)
        host = (_MOMENTS + 2 + setting.zero) * share + largest
        return _States(0, gradients, gradients + last_bucket, host)
    gradients = weights if setting.zero == 1 else share
    update = max(share + last_bucket, (3 if setting.on_cpu else 2) * share)
    return _States((_MOMENTS + 1) * share, gradients, update, host=0)


def _held_sizes(model: EncoderDecoderConfig | DecoderConfig, tensor: int) -> tuple[int, ...]:
    """Numbers in each parameter that the first process holds."""
    key: Any = model  # frozen, and so hashed by value, which type checkers do not know
    return _sizes_of(key, tensor)


@cache
def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(parameter.shape) for name, parameter in on_meta(model).named_parameters()}


@cache
def _sizes_of(model: Any, tensor: int) -> tuple[int, ...]:
    held = shares(model, tensor, 0)
    return tuple(_held_size(name, shape, model, held, tensor) for name, shape in _shapes(model).items())


def _held_size(
    name: str, shape: tuple[int, ...], model: EncoderDecoderConfig | DecoderConfig, held: Shares, tensor: int
) -> int:
    part = shard(name, model, held) if tensor > 1 else None
    size = 1
    for dimension, items in enumerate(shape):
        size *= part.share.size if part and part.dimension == dimension else items
    return size


def _communication(model: EncoderDecoderConfig | DecoderConfig, setting: Setting, parameters: int) -> int:
    """What is being sent: a block's output beside its sum (tensor parallelism), and ZeRO's buckets.

    Stage 2 reduces a copy of a bucket that is full, and goes on with backward; where the first takes all parameters,
    that is when backward is over. DistributedDataParallel has no memory of its own: the gradients are views into its
    buckets.
    """
    together = isinstance(model, DecoderConfig)
    longest = max(setting.input_tokens, setting.output_tokens)
    positions = setting.input_tokens + setting.output_tokens if together else longest
    block = FULL * setting.rows * positions * model.d_model if setting.tensor > 1 else 0
    buckets = 2 if setting.zero == 2 and parameters > BUCKET else min(1, setting.zero)
    return block + buckets * FULL * min(BUCKET, parameters)


def _kv_cache(model: EncoderDecoderConfig | DecoderConfig, setting: Setting) -> int:
    """Keys and values in fp32 of the rows that are decoded at a time, for inputs and outputs of full length.

    The encoder-decoder's generation also joins its projections of queries, keys and values into one matrix per layer.
    """
    rows = setting.generated_rows
    if not rows:
        return 0
    held = shares(model, setting.tensor, 0)
    positions = setting.input_tokens + setting.output_tokens
    if isinstance(model, DecoderConfig):
        return 2 * FULL * model.n_layers * rows * positions * held.kv_heads.size * model.d_head
    inner = held.heads.size * model.d_kv
    return model.decoder_layers * FULL * inner * (2 * rows * positions + 3 * model.d_model)
