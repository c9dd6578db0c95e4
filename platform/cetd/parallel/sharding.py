"""Spreads a model over the processes of a tensor-parallel group (Shoeybi et al. 2019), the vocabulary included.

The model's own code runs unchanged on what is left of its weights. Around it: what a norm or a stack hands to sharded
weights is copied in, partial sums are reduced, and each process looks up its own tokens only. Two reductions per block
and direction are all that is communicated, beside three numbers per token in the loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cetd.models import decoder, encoder_decoder
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.collectives import Group, copy, reduce
from cetd.parallel.mesh import Mesh
from cetd.parallel.shards import Shard, Share, Shares, shard, shares


def shard_model(model: EncoderDecoder | Decoder, mesh: Mesh) -> dict[str, Shard]:
    """Leave ``model`` with this process's part of it, in place; returns the part of each parameter that was cut.

    Its logits are then this process's share of the vocabulary, see :func:`cetd.parallel.cross_entropy.cross_entropy`.

    Raises:
        MeshError: the degree is more than the model's heads, units or tokens.
    """
    if mesh.tensor == 1:
        return {}
    held = shares(model.config, mesh.tensor, mesh.tensor_rank)
    cut = _cut_parameters(model, held)
    for module in model.modules():
        _narrow(module, held)
        _connect(module, mesh.tensor_group)
    if isinstance(model, EncoderDecoder):
        model.embedding = ShardedEmbedding(model.embedding.weight, held.vocabulary, mesh.tensor_group)
    else:
        model.embed_tokens = ShardedEmbedding(model.embed_tokens.weight, held.vocabulary, mesh.tensor_group)
        model.norm.register_forward_hook(_copying(mesh.tensor_group))
    return cut


def part_of(tensor: Tensor, part: Shard) -> Tensor:
    """The part of a whole tensor, as a view."""
    return tensor.narrow(part.dimension, part.share.first, part.share.size)


class ShardedEmbedding(nn.Embedding):
    """A share of the vocabulary's rows; forward gives (…, d_model) of any token, as every process adds what it has."""

    def __init__(self, weight: Tensor, held: Share, group: Group) -> None:
        rows, width = weight.shape
        super().__init__(rows, width, _weight=weight)
        self.weight = weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight)
        self.first, self.group = held.first, group

    def forward(self, input: Tensor) -> Tensor:
        elsewhere = (input < self.first) | (input >= self.first + self.num_embeddings)
        rows = functional.embedding((input - self.first).masked_fill(elsewhere, 0), self.weight)
        return reduce(rows.masked_fill(elsewhere[..., None], 0.0), self.group)


def _cut_parameters(model: EncoderDecoder | Decoder, held: Shares) -> dict[str, Shard]:
    cut = {}
    for name, parameter in model.named_parameters():
        part = shard(name, model.config, held)
        if part is not None:
            # A copy: a view would keep the whole tensor alive.
            parameter.data = part_of(parameter.data, part).clone(memory_format=torch.contiguous_format)
            cut[name] = part
    return cut


def _narrow(module: nn.Module, held: Shares) -> None:
    """Tell modules how much they hold, and dropouts where it begins."""
    if isinstance(module, encoder_decoder.Attention):
        module.heads = held.heads.size
        module.dropout.first = held.heads.first
    elif isinstance(module, decoder.Attention):
        module.heads, module.kv_heads = held.heads.size, held.kv_heads.size
        module.dropout.first = held.kv_heads.first
    elif isinstance(module, encoder_decoder.FeedForward):
        module.dropout.first = held.units.first


def _connect(module: nn.Module, group: Group) -> None:
    """Copy into sharded weights, and sum what comes out of them."""
    match module:
        case encoder_decoder.Stack():
            entering, leaving = [module], []
        case encoder_decoder.Layer():
            entering = [module.self_norm, module.cross_norm, module.feed_forward_norm]
            leaving = [module.self_attention.o, module.feed_forward.wo]
            leaving += [module.cross_attention.o] if module.cross_attention else []
        case decoder.Layer():
            entering = [module.input_layernorm, module.post_attention_layernorm]
            leaving = [module.self_attn.o_proj, module.mlp.down_proj]
        case _:
            return
    for one in entering:
        if one is not None:
            one.register_forward_hook(_copying(group))
    for one in leaving:
        one.register_forward_hook(_reducing(group))


def _copying(group: Group) -> Any:
    return lambda _module, _inputs, output: copy(output, group)


def _reducing(group: Group) -> Any:
    return lambda _module, _inputs, output: reduce(output, group)
