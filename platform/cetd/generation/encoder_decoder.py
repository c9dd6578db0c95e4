"""Batched generation from the encoder-decoder: several samples for each source.

The encoder and the cross-attention's keys and values run once per source, for all its samples; decoding has a
preallocated KV cache, and rows that have ended leave the batch. Knows nothing of tokenization or apps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cetd.config import SamplingConfig
from cetd.generation.sampling import draw
from cetd.models.encoder_decoder import Attention, EncoderDecoder, Layer

# Ended rows leave when they are at least this share of the batch: taking them out copies the caches.
COMPACT_SHARE = 0.25


@dataclass(frozen=True)
class Generated:
    """A row's tokens, its end-of-sequence included where it was drawn, and their log-probabilities.

    The log-probabilities are the model's own, at temperature 1 and without truncation: those that the loss uses.
    """

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]


@torch.inference_mode()
def generate(
    model: EncoderDecoder,
    input_ids: Tensor,
    attention_mask: Tensor,
    *,
    samples: int,
    sampling: SamplingConfig,
    seeds: Tensor,
    eos_id: int,
    pad_id: int,
) -> list[Generated]:
    """Draw ``samples`` rows for each of ``input_ids`` (sources, source), rows of a source together.

    Args:
        attention_mask: (sources, source), true where there is a token.
        seeds: int64 (sources * samples,), one per row.
        eos_id: ends a row.
        pad_id: the first decoder input.

    Raises:
        ValueError: the seeds are not one per row.
    """
    rows = input_ids.shape[0] * samples
    if seeds.shape != (rows,):
        raise ValueError(f"seeds: {tuple(seeds.shape)} given, one per row needed: ({rows},)")
    decoder = _Decoding(model, input_ids, attention_mask, samples, sampling.max_new_tokens)
    tokens = torch.full((rows, sampling.max_new_tokens), pad_id, device=input_ids.device)
    log_probs = torch.zeros(rows, sampling.max_new_tokens, device=input_ids.device)
    lengths = torch.full((rows,), sampling.max_new_tokens, device=input_ids.device)
    row = torch.arange(rows, device=input_ids.device)  # of each place in the batch
    ended = torch.zeros(rows, dtype=torch.bool, device=input_ids.device)
    last = torch.full((rows,), pad_id, device=input_ids.device)
    for step in range(sampling.max_new_tokens):
        logits = decoder.step(last, step)
        last = draw(logits, sampling, seeds[row], step)
        live = row[~ended]
        tokens[live, step] = last[~ended]
        log_probs[live, step] = (logits.gather(-1, last[:, None])[:, 0] - logits.logsumexp(-1))[~ended]
        ending = (last == eos_id) & ~ended
        lengths[row[ending]] = step + 1
        ended |= ending
        count = int(ended.sum())
        if count == len(row):
            break
        if count >= COMPACT_SHARE * len(row):
            kept = (~ended).nonzero()[:, 0]
            decoder.keep(kept)
            row, last, ended = row[kept], last[kept], ended[kept]
    return [
        Generated(tuple(drawn[:length]), tuple(log[:length]))
        for drawn, log, length in zip(tokens.tolist(), log_probs.tolist(), lengths.tolist(), strict=True)
    ]


class _Decoding:
    """The caches of a batch that is being decoded; all rows are at the same step."""

    def __init__(
        self, model: EncoderDecoder, input_ids: Tensor, attention_mask: Tensor, samples: int, steps: int
    ) -> None:
        self._model = model
        states = model.encode(input_ids, attention_mask)
        self._cross_bias = model.masking(attention_mask).repeat_interleave(samples, dim=0)
        future = torch.ones(steps, steps, dtype=torch.bool, device=states.device).triu(1)
        self._bias = model.decoder.positions(steps, steps).masked_fill(future, torch.finfo(states.dtype).min)
        rows = input_ids.shape[0] * samples
        self._layers = [_LayerCache(layer, states, samples, rows, steps) for layer in model.decoder.blocks()]

    def step(self, last: Tensor, step: int) -> Tensor:
        """Logits (rows, vocabulary) in fp32 after token ``last`` (rows,) at position ``step``."""
        hidden = self._model.embedding(last).unsqueeze(1)  # (rows, 1, d_model)
        bias = self._bias[:, :, step : step + 1, : step + 1]
        for cache in self._layers:
            hidden = cache.step(hidden, step, bias, self._cross_bias)
        return self._model.head(self._model.decoder.norm(hidden)).squeeze(1).float()

    def keep(self, kept: Tensor) -> None:
        """Only the rows ``kept`` go on."""
        self._cross_bias = self._cross_bias[kept]
        for cache in self._layers:
            cache.keep(kept)


class _LayerCache:
    """One decoder layer with the keys and values of its rows: (rows, heads, position, size)."""

    def __init__(self, layer: Layer, states: Tensor, samples: int, rows: int, steps: int) -> None:
        assert layer.cross_attention is not None
        self._layer, self._attention, self._cross = layer, layer.self_attention, layer.cross_attention
        shape = (rows, self._attention.heads, steps, self._attention.size)
        self._keys, self._values = states.new_empty(shape), states.new_empty(shape)
        cross_keys, cross_values = self._cross.keys_values(states)
        self._cross_keys = cross_keys.repeat_interleave(samples, dim=0)
        self._cross_values = cross_values.repeat_interleave(samples, dim=0)
        # One product for queries, keys and values: at one token per row the calls cost more than the arithmetic.
        self._projection = torch.cat([self._attention.q.weight, self._attention.k.weight, self._attention.v.weight])

    def step(self, hidden: Tensor, step: int, bias: Tensor, cross_bias: Tensor) -> Tensor:
        layer, attention, cross = self._layer, self._attention, self._cross
        assert layer.cross_norm is not None
        projected = functional.linear(layer.self_norm(hidden), self._projection)
        query, key, value = (attention.split(part) for part in projected.chunk(3, dim=-1))
        self._keys[:, :, step], self._values[:, :, step] = key[:, :, 0], value[:, :, 0]
        keys, values = self._keys[:, :, : step + 1], self._values[:, :, : step + 1]
        hidden = hidden + _attend(attention, query, keys, values, bias)
        query = cross.split(cross.q(layer.cross_norm(hidden)))
        hidden = hidden + _attend(cross, query, self._cross_keys, self._cross_values, cross_bias)
        return hidden + layer.feed_forward(layer.feed_forward_norm(hidden))

    def keep(self, kept: Tensor) -> None:
        self._keys, self._values = self._keys[kept], self._values[kept]
        self._cross_keys, self._cross_values = self._cross_keys[kept], self._cross_values[kept]


def _attend(attention: Attention, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=1.0)
    return attention.o(mixed.transpose(1, 2).flatten(2))
