"""An encoder-decoder in CTranslate2's layout: what ``ctranslate2.Translator`` loads.

Written from our own model and not by that library's converter, which loads it a second time through transformers:
seconds that a replica on its way back has not got.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import common_spec, transformer_spec
from torch import nn

from cetd.data.tokenizer import EOS, PAD
from cetd.models.encoder_decoder import Attention, EncoderDecoder, FeedForward, Stack

_ACTIVATIONS = {"relu": common_spec.Activation.RELU, "gated-gelu": common_spec.Activation.GELUTanh}


def write_translator(model: EncoderDecoder, tokens: Sequence[str], folder: Path) -> list[str]:
    """Write ``model`` into ``folder``; what each id is called there: ``tokens``, and names for the rows beyond them."""
    config = model.config
    options: dict[str, Any] = {
        "activation": _ACTIVATIONS[config.feed_forward],
        "ffn_glu": config.feed_forward == "gated-gelu",
        "relative_attention_bias": True,
        "rms_norm": True,
        "head_dim": config.d_kv,
    }
    # Its fields are made at run time.
    spec: Any = transformer_spec.TransformerSpec(
        transformer_spec.TransformerEncoderSpec(config.encoder_layers, config.n_heads, **options),
        transformer_spec.TransformerDecoderSpec(config.decoder_layers, config.n_heads, **options),
    )
    spec.encoder.embeddings[0].weight = model.embedding.weight
    spec.decoder.embeddings.weight = model.embedding.weight
    spec.decoder.projection.weight = model.embedding.weight if model.lm_head is None else model.lm_head.weight
    if config.tied_lm_head:
        spec.decoder.scale_outputs = np.dtype("float32").type(config.d_model**-0.5)
    _stack(spec.encoder, model.encoder)
    _stack(spec.decoder, model.decoder)
    names = [*tokens, *(f"<unused_{number}>" for number in range(config.vocab_size - len(tokens)))]
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    spec.config.bos_token = spec.config.unk_token = spec.config.decoder_start_token = PAD
    spec.config.eos_token = EOS
    spec.config.layer_norm_epsilon = config.norm_eps
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return names


def _stack(spec: Any, stack: Stack) -> None:
    spec.layer_norm.gamma = stack.norm.weight
    spec.scale_embeddings = False
    for of, layer in zip(spec.layer, stack.blocks(), strict=True):
        of.self_attention.layer_norm.gamma = layer.self_norm.weight
        _attention(of.self_attention, layer.self_attention, fused=3)
        of.self_attention.relative_attention_bias = stack.positions.embedding.weight
        of.self_attention.relative_attention_max_distance = np.dtype("int32").type(stack.positions.max_distance)
        if layer.cross_attention is not None and layer.cross_norm is not None:
            of.attention.layer_norm.gamma = layer.cross_norm.weight
            _attention(of.attention, layer.cross_attention, fused=1)
        of.ffn.layer_norm.gamma = layer.feed_forward_norm.weight
        _feed_forward(of.ffn, layer.feed_forward)


def _attention(spec: Any, attention: Attention, fused: int) -> None:
    """The first ``fused`` of queries, keys and values are one product, the others another."""
    spec.queries_scale = np.dtype("float32").type(1)
    weights = [part.weight.detach().numpy() for part in (attention.q, attention.k, attention.v)]
    spec.linear[0].weight = np.concatenate(weights[:fused])
    if weights[fused:]:
        spec.linear[1].weight = np.concatenate(weights[fused:])
    spec.linear[-1].weight = attention.o.weight


def _feed_forward(spec: Any, block: FeedForward) -> None:
    gate: nn.Linear = block.wi if block.gate is None else block.gate
    spec.linear_0.weight = gate.weight
    if block.gate is not None:
        spec.linear_0_noact.weight = block.wi.weight
    spec.linear_1.weight = block.wo.weight
