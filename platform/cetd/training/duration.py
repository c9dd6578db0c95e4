"""How long training takes: floating-point operations of a step, and what devices do per second.

A matrix product of a weights matrix takes 2 operations per weight and token forward and twice that backward (Kaplan et
al. 2020: 6 N per token); attention's two products are added (Chowdhery et al. 2022, appendix B). Layers that are
computed again take a third more. Weights are counted for the tokens that pass them: the encoder's for inputs, the
decoder's for outputs. That tensor-parallel shares are uneven is left to the utilisation.
"""

from __future__ import annotations

from dataclasses import dataclass

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.training.precision import Precision

# Of the device's rate, as training in large matrix products reaches it; 0.33-0.48 are published (torchtitan, Megatron).
UTILISATION = 0.4
GB = 10**9


@dataclass(frozen=True)
class Device:
    """A GPU: its memory in bytes, its CUDA compute capability, and operations per second by precision."""

    memory: int
    capability: tuple[int, int]
    rates: dict[Precision, float]


def _device(gigabytes: int, capability: tuple[int, int], fp32: float, fp16: float, bf16: float | None) -> Device:
    rates: dict[Precision, float] = {"fp32": fp32 * 1e12, "fp16": fp16 * 1e12}
    if bf16 is not None:
        rates["bf16"] = bf16 * 1e12
    return Device(gigabytes * GB, capability, rates)


# NVIDIA's data sheets (dense matrix products, fp32 without TF32, 16 bits with fp32 sums); GeForce: the architectures'
# white papers. Pascal has fp16 at 1/64 of fp32 (CUDA C++ Programming Guide). Memory is that of the larger version.
DEVICES = {
    "p40": _device(24, (6, 1), fp32=12.0, fp16=12.0 / 64, bf16=None),
    "v100": _device(32, (7, 0), fp32=15.7, fp16=125, bf16=None),
    "t4": _device(16, (7, 5), fp32=8.1, fp16=65, bf16=None),
    "rtx3090": _device(24, (8, 6), fp32=35.6, fp16=71, bf16=71),
    "rtx4090": _device(24, (8, 9), fp32=82.6, fp16=165, bf16=165),
    "a100": _device(80, (8, 0), fp32=19.5, fp16=312, bf16=312),
    "h100": _device(80, (9, 0), fp32=67, fp16=989, bf16=989),
    "h200": _device(141, (9, 0), fp32=67, fp16=989, bf16=989),
}


def operations_per_example(
    model: EncoderDecoderConfig | DecoderConfig, input_tokens: int, output_tokens: int, recompute: bool = False
) -> int:
    """Floating-point operations of training on one example, forward and backward."""
    if isinstance(model, EncoderDecoderConfig):
        layers = _encoder_decoder(model, input_tokens, output_tokens)
    else:
        layers = _decoder(model, input_tokens + output_tokens - 1)
    head = 2 * model.vocab_size * model.d_model * output_tokens
    return 3 * (layers + head) + (layers if recompute else 0)


def seconds(operations: float, device: Device, precision: Precision, gpus: int, utilisation: float) -> float:
    """Seconds for ``operations`` on ``gpus`` devices that reach the share ``utilisation`` of their rate.

    Raises:
        ValueError: the device has no such arithmetic, or the share is not above 0 and at most 1.
    """
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation={utilisation}: give a share above 0 and at most 1")
    if precision not in device.rates:
        raise ValueError(f"precision={precision}: this device has none; use {' or '.join(device.rates)}")
    return operations / (device.rates[precision] * gpus * utilisation)


def device_named(name: str) -> Device | None:
    """The device of a name such as NVIDIA H200 or Tesla P40; None where its rates are not known here."""
    words = name.lower().replace(" ", "")
    return next((device for key, device in DEVICES.items() if key in words), None)


def _encoder_decoder(model: EncoderDecoderConfig, source: int, target: int) -> int:
    """Operations of the layers, forward."""
    inner = model.n_heads * model.d_kv
    projection = 2 * model.d_model * inner
    block = 2 * (3 if model.feed_forward == "gated-gelu" else 2) * model.d_model * model.d_ff
    encoder = source * (4 * projection + block) + 4 * source**2 * inner
    crossing = 2 * (source + target) * projection + 4 * source * target * inner
    decoder = target * (4 * projection + block) + 4 * target**2 * inner + crossing
    return model.encoder_layers * encoder + model.decoder_layers * decoder


def _decoder(model: DecoderConfig, length: int) -> int:
    """Operations of the layers, forward; causal kernels compute half of the scores."""
    projections = 2 * model.d_model * model.d_head * (2 * model.n_heads + 2 * model.n_kv_heads)
    block = 6 * model.d_model * model.d_ff
    attention = 2 * length**2 * model.n_heads * model.d_head
    return model.n_layers * (length * (projections + block) + attention)
