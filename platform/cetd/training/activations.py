"""Bytes of activations in a forward and backward pass of a whole model: what is kept, and the most at a time.

Backward frees what it has used, so the peak is at one of a few moments: at the loss, in a layer of either stack, or
where the parts of the embedding's gradient meet. Sizes are the shares that the first process of a tensor-parallel group
holds, whose shares are the largest. T5's relative bias is one tensor per stack, with one gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.parallel.shards import shares
from cetd.training.layer_activations import (
    FULL,
    INDEX,
    Attention,
    Block,
    Head,
    Pass,
    attention,
    feed_forward,
    norm,
    stream,
)


@dataclass(frozen=True)
class Activations:
    """Bytes: ``kept`` for backward when the forward pass ends, and ``transient`` on top of them at the peak."""

    kept: int
    transient: int


def activations(run: Pass) -> Activations:
    """What ``run`` keeps, and the largest transient, in bytes.

    Raises:
        MeshError: the tensor-parallel degree is more than the model's heads, units or tokens.
    """
    if isinstance(run.model, EncoderDecoderConfig):
        return _encoder_decoder(run, run.model)
    return _decoder(run, run.model)


@dataclass(frozen=True)
class _Layer:
    """Bytes of a layer: what backward needs of it, what backward adds while it works, and what comes in."""

    kept: int
    working: int
    entering: int


def _encoder_decoder(run: Pass, model: EncoderDecoderConfig) -> Activations:
    held = shares(model, run.tensor, 0)
    source, target, heads = run.input_tokens, run.output_tokens, held.heads.size
    encoder_bias, decoder_bias = FULL * run.rows * heads * source**2, FULL * heads * target**2
    over_source = Attention(source, source, heads, heads, model.d_kv)
    over_target = Attention(target, target, heads, heads, model.d_kv)
    crossing = Attention(target, source, heads, heads, model.d_kv)
    gated, units = model.feed_forward == "gated-gelu", held.units.size

    def layer(own: Attention, bias: int, cross: Attention | None) -> _Layer:
        attentions = [attention(run, model.d_model, own, bias)]
        if cross:
            attentions.append(attention(run, model.d_model, cross, bias=0, read=source))
        block = feed_forward(run, model.d_model, own.queries, units, 2 if gated else 1, bool(model.dropout))
        return _layer(run, model.d_model, own.queries, [*attentions, block])

    encoding, decoding = layer(over_source, encoder_bias, None), layer(over_target, decoder_bias, crossing)
    states = stream(run, model.d_model, source)
    # The lookup of positions keeps its indices, and masking what it shut out.
    layers = model.encoder_layers * _held(run, encoding) + _bias_kept(run, encoder_bias) + INDEX * source**2
    encoder = layers + norm(run, model.d_model, source) + states
    decoder = model.decoder_layers * _held(run, decoding) + _bias_kept(run, decoder_bias) + (INDEX + 1) * target**2
    table = FULL * held.vocabulary.size * model.d_model
    # The parts of the embedding's gradient, from the head and from both inputs, wait for the last one.
    pending = table if model.tied_lm_head else 0
    head = Head(run, model.d_model, target, held.vocabulary.size)
    kept = encoder + decoder + head.kept
    backward = [
        encoder + _backward(run, decoder, decoding, model.decoder_layers, decoder_bias) + pending,
        encoder + states + (3 * table if model.tied_lm_head else table),
        _backward(run, layers, encoding, model.encoder_layers, encoder_bias) + table,
        3 * table,
    ]
    return _peaked(run, kept, head.transient, max(backward))


def _decoder(run: Pass, model: DecoderConfig) -> Activations:
    held = shares(model, run.tensor, 0)
    length = run.input_tokens + run.output_tokens - 1
    own = Attention(length, length, held.heads.size, held.kv_heads.size, model.d_head)
    blocks = [
        attention(run, model.d_model, own, bias=0, rotary=True),
        feed_forward(run, model.d_model, length, held.units.size, matrices=2, dropout=False),
    ]
    layer = _layer(run, model.d_model, length, blocks)
    rotations = 2 * FULL * length * model.d_head
    layers = rotations + model.n_layers * _held(run, layer)
    head = Head(run, model.d_model, length, held.vocabulary.size, learned=run.output_tokens)
    kept = layers + head.kept
    table = FULL * held.vocabulary.size * model.d_model
    tied = model.tied_lm_head
    backward = _backward(run, layers, layer, model.n_layers, bias=0) + (table if tied else 0)
    return _peaked(run, kept, head.transient, max(backward, 3 * table if tied else table))


def _peaked(run: Pass, kept: int, head: int, backward: int) -> Activations:
    """From the bytes at the end of forward, what the head adds to them, and the most while backward goes on.

    Layers that are computed again make the 16-bit weights again, one layer at a time.
    """
    peak = max(kept + head + run.casts, backward + (0 if run.recompute else run.casts))
    return Activations(kept + run.casts, peak - kept - run.casts)


def _held(run: Pass, layer: _Layer) -> int:
    """Bytes kept of a layer until backward reaches it: its input alone where it is computed again."""
    return layer.entering if run.recompute else layer.kept


def _backward(run: Pass, kept: int, layer: _Layer, layers: int, bias: int) -> int:
    """The most bytes while backward goes through a stack of which ``kept`` are there at its beginning.

    All layers add to one gradient of the bias: from the second layer on there is the sum as well.
    """
    again = layer.kept - layer.entering if run.recompute else 0
    first = kept + again + layer.working
    return max(first, first + bias - _held(run, layer)) if layers > 1 else first


def _layer(run: Pass, d_model: int, positions: int, blocks: list[Block]) -> _Layer:
    """From the bytes that each block keeps, and adds in backward, when later blocks have gone already."""
    kept, peak = 0, 0
    for block in blocks:
        kept += block.kept
        peak = max(peak, kept + block.working)
    return _Layer(kept, peak - kept, stream(run, d_model, positions))


def _bias_kept(run: Pass, bias: int) -> int:
    """A stack's bias, where its layers do not keep copies instead."""
    return bias if run.recompute or not run.cast else 0
