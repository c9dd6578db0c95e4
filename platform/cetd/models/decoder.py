"""The decoder-only language model of the Llama family (Touvron et al. 2023), in plain PyTorch.

RoPE (Su et al. 2021, in the rotate-half layout of Hugging Face) or learned positions (Gehring et al. 2017),
grouped-query attention (Ainslie et al. 2023), SwiGLU (Shazeer 2020), RMS norm before each block, tied or untied head.
For training and scoring: generation is the
reconstruction engines' business.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cetd.config import DecoderConfig
from cetd.models.dropout import Dropout, ValueDropout, number_sites
from cetd.models.norm import RMSNorm

INITIAL_STD = 0.02

# Cosines and sines (position, d_head).
Rotations = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Causal grouped-query attention: ``n_heads / n_kv_heads`` query heads share one key and value head."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.size = config.n_heads, config.n_kv_heads, config.d_head
        self.q_proj = nn.Linear(config.d_model, config.n_heads * config.d_head, bias=False)
        self.k_proj = nn.Linear(config.d_model, config.n_kv_heads * config.d_head, bias=False)
        self.v_proj = nn.Linear(config.d_model, config.n_kv_heads * config.d_head, bias=False)
        self.o_proj = nn.Linear(config.n_heads * config.d_head, config.d_model, bias=False)
        self.dropout = ValueDropout(config.dropout)

    def forward(self, hidden: Tensor, rotations: Rotations | None, mask: Tensor | None) -> Tensor:
        query = self._split(self.q_proj(hidden), self.heads)  # (batch, head, position, d_head)
        key = self._split(self.k_proj(hidden), self.kv_heads)
        value = self._split(self.v_proj(hidden), self.kv_heads)
        if rotations is not None:
            query, key = _rotate(query, *rotations), _rotate(key, *rotations)
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            self.dropout(value),
            attn_mask=mask,
            is_causal=mask is None,
            enable_gqa=self.heads != self.kv_heads,
        )
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def _split(self, projected: Tensor, heads: int) -> Tensor:
        return projected.unflatten(-1, (heads, self.size)).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up_proj = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down_proj = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden))


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and a residual."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.d_model, config.norm_eps)
        self.self_attn = Attention(config)
        self.self_dropout = Dropout(config.dropout)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = FeedForward(config)
        self.mlp_dropout = Dropout(config.dropout)

    def forward(self, hidden: Tensor, rotations: Rotations | None, mask: Tensor | None) -> Tensor:
        hidden = hidden + self.self_dropout(self.self_attn(self.input_layernorm(hidden), rotations, mask))
        return hidden + self.mlp_dropout(self.mlp(self.post_attention_layernorm(hidden)))


class Decoder(nn.Module):
    """A decoder-only language model."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        learned = config.positions == "learned"
        self.positions = nn.Embedding(config.max_positions, config.d_model) if learned else None
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.lm_head = None if config.tied_lm_head else nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.recompute = False  # whether backward computes layers again instead of keeping their activations
        self.apply(_initialise)
        number_sites(self)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, of: Tensor | None = None) -> Tensor:
        """Logits (batch, position, vocabulary) of the token after each of ``input_ids`` (batch, position).

        ``attention_mask`` (batch, position) is true (or 1) where there is a token; None means everywhere. In a row of
        several documents it is the number of each token's document, from 1, and attention stays within a document.
        Positions count from the row's start, padding included, as Hugging Face counts them: rotary scores depend on
        distances alone (Su et al. 2021, equation 16), so a document's do not change with where it stands. Given ``of``
        (positions,), indices into the rows one after another, logits (positions, vocabulary) of those alone.

        Raises:
            ValueError: the sequence is longer than ``max_positions``.
        """
        length = input_ids.shape[1]
        if length > self.config.max_positions:
            raise ValueError(
                f"sequence of {length} tokens: max_positions={self.config.max_positions} is the most; shorten the text"
            )
        hidden = self.embed_tokens(input_ids)
        rotations = None
        if self.positions is None:
            rotations = self._rotations(length, hidden)
        else:
            hidden = hidden + self.positions.weight[:length]
        mask = None
        if attention_mask is not None:
            past = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
            # Padding sees padding, so that no softmax is over nothing.
            of_query, of_key = attention_mask[:, None, :, None], attention_mask[:, None, None, :]
            mask = past & (of_query == of_key)  # (batch, 1, query, key)
        for layer in self.layers:
            if self.recompute and self.training:
                hidden = checkpoint(layer, hidden, rotations, mask, use_reentrant=False)
            else:
                hidden = layer(hidden, rotations, mask)
        hidden = self.norm(hidden)
        if of is not None:
            hidden = hidden.flatten(0, 1).index_select(0, of)
        return functional.linear(hidden, self.embed_tokens.weight) if self.lm_head is None else self.lm_head(hidden)

    def _rotations(self, length: int, hidden: Tensor) -> Rotations:
        """Cosines and sines (position, d_head), computed in fp32 as angles grow with the position."""
        config = self.config
        exponents = torch.arange(0, config.d_head, 2, device=hidden.device, dtype=torch.float32) / config.d_head
        positions = torch.arange(length, device=hidden.device, dtype=torch.float32)
        angles = torch.outer(positions, config.rope_theta**-exponents)
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(hidden.dtype), angles.sin().to(hidden.dtype)


def _rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    first, second = heads.chunk(2, dim=-1)
    return heads * cosines + torch.cat([-second, first], dim=-1) * sines


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=INITIAL_STD)
