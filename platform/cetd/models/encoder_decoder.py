"""The encoder-decoder of the T5 family (Raffel et al. 2020), in plain PyTorch.

Relative position buckets shared by all layers of a stack, RMS norm before each block, attention scores without a scale,
ReLU or gated-GELU feed-forward, tied or untied head. Submodules mirror the names of the Hugging Face layout where that
costs nothing; ``huggingface.py`` maps the rest. Knows nothing of tokens' meaning, sampling or devices.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cetd.config import EncoderDecoderConfig
from cetd.models.attention import attend
from cetd.models.dropout import Dropout, ValueDropout, number_sites
from cetd.models.norm import RMSNorm


class RelativePositions(nn.Module):
    """One learned bias per head and bucket of relative distance (Raffel et al. 2020, section 2.1)."""

    def __init__(self, config: EncoderDecoderConfig, bidirectional: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.relative_buckets, config.n_heads)
        self.buckets, self.max_distance = config.relative_buckets, config.relative_max_distance
        self.bidirectional = bidirectional

    def forward(self, queries: int, keys: int, offset: int = 0) -> Tensor:
        """Bias (1, heads, queries, keys) of queries that begin at position ``offset``."""
        device = self.embedding.weight.device
        query = torch.arange(offset, offset + queries, device=device)
        key = torch.arange(keys, device=device)
        bias = self.embedding(self.bucket(key[None, :] - query[:, None]))  # (query, key, heads)
        # Contiguous: the fused kernels of GPUs read a row of keys at a time.
        return bias.permute(2, 0, 1).contiguous().unsqueeze(0)

    def bucket(self, relative: Tensor) -> Tensor:
        """Bucket of each relative position (key - query): exact when near, logarithmic when far."""
        buckets = self.buckets
        first = torch.zeros_like(relative)
        if self.bidirectional:
            buckets //= 2
            first = (relative > 0).long() * buckets
            distance = relative.abs()
        else:
            distance = (-relative).clamp(min=0)
        exact = buckets // 2
        far = torch.log(distance.clamp(min=1).float() / exact) / math.log(self.max_distance / exact)
        logarithmic = (exact + (far * (buckets - exact)).long()).clamp(max=buckets - 1)
        return first + torch.where(distance < exact, distance, logarithmic)


class Attention(nn.Module):
    """Multi-head attention with an additive bias and no scale: T5 folds it into the initialisation."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        inner = config.n_heads * config.d_kv
        self.heads, self.size = config.n_heads, config.d_kv
        self.q = nn.Linear(config.d_model, inner, bias=False)
        self.k = nn.Linear(config.d_model, inner, bias=False)
        self.v = nn.Linear(config.d_model, inner, bias=False)
        self.o = nn.Linear(inner, config.d_model, bias=False)
        self.dropout = ValueDropout(config.dropout)

    def forward(self, hidden: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """``hidden`` (batch, query, d_model) attends to keys and values (batch, heads, key, size) plus ``bias``."""
        queries = self.split(self.q(hidden))
        mixed = attend(queries, keys, self.dropout(values), bias)
        return self.o(mixed.transpose(1, 2).flatten(2))

    def keys_values(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (batch, heads, key, size) of ``hidden`` (batch, key, d_model)."""
        return self.split(self.k(hidden)), self.split(self.v(hidden))

    def split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (self.heads, self.size)).transpose(1, 2)


class FeedForward(nn.Module):
    """ReLU (T5 v1.0) or gated GELU (v1.1; Shazeer 2020)."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.gated = config.feed_forward == "gated-gelu"
        self.wi = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False) if self.gated else None
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.dropout = Dropout(config.dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        if self.gate is not None:
            inner = functional.gelu(self.gate(hidden), approximate="tanh") * self.wi(hidden)
        else:
            inner = functional.relu(self.wi(hidden))
        return self.wo(self.dropout(inner))


class Layer(nn.Module):
    """Self-attention, in the decoder cross-attention too, and feed-forward; each behind a norm and a residual."""

    def __init__(self, config: EncoderDecoderConfig, cross: bool) -> None:
        super().__init__()
        self.self_norm = RMSNorm(config.d_model, config.norm_eps)
        self.self_attention = Attention(config)
        self.self_dropout = Dropout(config.dropout)
        self.cross_norm = RMSNorm(config.d_model, config.norm_eps) if cross else None
        self.cross_attention = Attention(config) if cross else None
        self.cross_dropout = Dropout(config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model, config.norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_dropout = Dropout(config.dropout)

    def forward(
        self, hidden: Tensor, bias: Tensor, states: Tensor | None = None, cross_bias: Tensor | None = None
    ) -> Tensor:
        normed = self.self_norm(hidden)
        mixed = self.self_attention(normed, *self.self_attention.keys_values(normed), bias)
        hidden = hidden + self.self_dropout(mixed)
        if self.cross_attention is not None and self.cross_norm is not None:
            assert states is not None
            assert cross_bias is not None
            keys, values = self.cross_attention.keys_values(states)
            mixed = self.cross_attention(self.cross_norm(hidden), keys, values, cross_bias)
            hidden = hidden + self.cross_dropout(mixed)
        return hidden + self.feed_forward_dropout(self.feed_forward(self.feed_forward_norm(hidden)))


class Stack(nn.Module):
    """The encoder or the decoder: layers that share one table of relative positions, and a final norm."""

    def __init__(self, config: EncoderDecoderConfig, layers: int, decoder: bool) -> None:
        super().__init__()
        self.positions = RelativePositions(config, bidirectional=not decoder)
        self.layers = nn.ModuleList(Layer(config, cross=decoder) for _ in range(layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.recompute = False  # whether backward computes layers again instead of keeping their activations
        self.input_dropout = Dropout(config.dropout)
        self.output_dropout = Dropout(config.dropout)

    def blocks(self) -> list[Layer]:
        """The layers, in order."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def forward(
        self, hidden: Tensor, bias: Tensor, states: Tensor | None = None, cross_bias: Tensor | None = None
    ) -> Tensor:
        hidden = self.input_dropout(hidden)
        for layer in self.layers:
            if self.recompute and self.training:
                hidden = checkpoint(layer, hidden, bias, states, cross_bias, use_reentrant=False)
            else:
                hidden = layer(hidden, bias, states, cross_bias)
        return self.output_dropout(self.norm(hidden))


class EncoderDecoder(nn.Module):
    """CET-D's network."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Stack(config, config.encoder_layers, decoder=False)
        self.decoder = Stack(config, config.decoder_layers, decoder=True)
        self.lm_head = None if config.tied_lm_head else nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.apply(self._initialise)
        number_sites(self)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor, of: Tensor | None = None
    ) -> Tensor:
        """Logits (batch, target, vocabulary) of the token after each of ``decoder_input_ids`` (batch, target).

        ``input_ids`` and ``attention_mask`` are (batch, source); the mask is true (or 1) where there is a token. Given
        ``of`` (positions,), indices into the targets' rows one after another, logits (positions, vocabulary) of those
        alone.
        """
        return self.decode(decoder_input_ids, self.encode(input_ids, attention_mask), attention_mask, of)

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """States (batch, source, d_model)."""
        length = input_ids.shape[1]
        bias = self.encoder.positions(length, length) + self.masking(attention_mask)
        return self.encoder(self.embedding(input_ids), bias)

    def decode(
        self, decoder_input_ids: Tensor, states: Tensor, attention_mask: Tensor, of: Tensor | None = None
    ) -> Tensor:
        """Logits (batch, target, vocabulary), or of some positions, given the encoder's states."""
        length = decoder_input_ids.shape[1]
        future = torch.ones(length, length, dtype=torch.bool, device=states.device).triu(1)
        bias = self.decoder.positions(length, length).masked_fill(future, torch.finfo(states.dtype).min)
        hidden = self.decoder(self.embedding(decoder_input_ids), bias, states, self.masking(attention_mask))
        return self.head(hidden if of is None else hidden.flatten(0, 1).index_select(0, of))

    def head(self, hidden: Tensor) -> Tensor:
        """Logits of the decoder's output; a tied head scales it by d_model**-0.5, as T5 does."""
        if self.lm_head is not None:
            return self.lm_head(hidden)
        return functional.linear(hidden * self.config.d_model**-0.5, self.embedding.weight)

    def masking(self, attention_mask: Tensor) -> Tensor:
        """Additive bias (batch, 1, 1, source) that shuts out padding."""
        dtype = self.embedding.weight.dtype
        shut = torch.zeros(attention_mask.shape, dtype=dtype, device=attention_mask.device)
        return shut.masked_fill(~attention_mask.bool(), torch.finfo(dtype).min)[:, None, None, :]

    def _initialise(self, module: nn.Module) -> None:
        """T5's initialisation: queries absorb the missing attention scale."""
        config = self.config
        if isinstance(module, EncoderDecoder):
            nn.init.normal_(module.embedding.weight, std=1.0)
            if module.lm_head is not None:
                nn.init.normal_(module.lm_head.weight, std=1.0)
        elif isinstance(module, RelativePositions):
            nn.init.normal_(module.embedding.weight, std=config.d_model**-0.5)
        elif isinstance(module, Attention):
            nn.init.normal_(module.q.weight, std=(config.d_model * config.d_kv) ** -0.5)
            nn.init.normal_(module.k.weight, std=config.d_model**-0.5)
            nn.init.normal_(module.v.weight, std=config.d_model**-0.5)
            nn.init.normal_(module.o.weight, std=(config.n_heads * config.d_kv) ** -0.5)
        elif isinstance(module, FeedForward):
            for linear in (module.wi, module.gate):
                if linear is not None:
                    nn.init.normal_(linear.weight, std=config.d_model**-0.5)
            nn.init.normal_(module.wo.weight, std=config.d_ff**-0.5)
