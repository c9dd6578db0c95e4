"""Keys and values of a decode batch whose rows begin at different steps: see :mod:`cetd.generation.continuous`.

A column belongs to a step of the whole batch. Buffers are as long as the rows at hand need, and are laid out anew when
a row needs more; the oldest columns are dropped when the buffers' end is reached.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cetd.models.encoder_decoder import Attention, EncoderDecoder, Layer

# Columns beyond the longest answer: the further apart, the rarer they are moved to the front.
_SLACK = 2


class RowCaches:
    """The caches of all decoder layers, and the step that reads and extends them."""

    def __init__(self, model: EncoderDecoder) -> None:
        self.device = model.embedding.weight.device
        self._model = model
        self._layers = [_LayerWeights(layer) for layer in model.decoder.blocks()]
        attention = self._layers[0].attention
        self._heads, self._size = attention.heads, attention.size
        self._rows = 0
        self._starts: list[int] = []  # column that each row began at
        self._sources: list[int] = []  # tokens of each row's source
        self._column = 0  # of the next step
        # (layer, keys and values, row, head, column or source position, size)
        self._own = self._buffer(0, 0)
        self._cross = self._buffer(0, 0)
        self._distance_bias = self._bias_by_distance(0)
        self._cross_bias: Tensor | None = None  # (row, 1, 1, source position)

    def join(self, sources: Sequence[Sequence[int]], longest_answer: int) -> None:
        """Encode ``sources`` and add a row for each; no row, old or new, writes more than ``longest_answer`` tokens."""
        if not self._rows:
            self._column = 0
        longest = max(map(len, sources))
        self._fit(self._rows + len(sources), max(longest, self._longest_source()), longest_answer)
        tokens = torch.zeros(len(sources), longest, dtype=torch.long)
        mask = torch.zeros(len(sources), longest, dtype=torch.bool)
        for row, source in enumerate(sources):
            tokens[row, : len(source)] = torch.tensor(source)
            mask[row, : len(source)] = True
        states = self._model.encode(tokens.to(self.device), mask.to(self.device))
        new = slice(self._rows, self._rows + len(sources))
        for number, layer in enumerate(self._layers):
            keys, values = layer.cross.keys_values(states)
            self._cross[number, 0, new, :, :longest] = keys
            self._cross[number, 1, new, :, :longest] = values
        self._rows += len(sources)
        self._starts += [self._column] * len(sources)
        self._sources += map(len, sources)
        self._cross_bias = None

    def leave(self, place: int) -> None:
        """The row at ``place`` leaves, and the last one takes its place."""
        last = self._rows - 1
        if place != last:
            self._own[:, :, place] = self._own[:, :, last]
            self._cross[:, :, place] = self._cross[:, :, last]
            self._starts[place], self._sources[place] = self._starts[last], self._sources[last]
        self._starts.pop()
        self._sources.pop()
        self._rows = last
        self._cross_bias = None

    def step(self, last: Tensor) -> Tensor:
        """Logits (row, vocabulary) in fp32 after token ``last`` (row,) of each row."""
        if self._column == self._own.shape[4]:
            self._to_the_front()
        first = min(self._starts)
        window = slice(first, self._column + 1)
        bias, cross_bias = self._bias(first), self._bias_of_sources()
        source = cross_bias.shape[-1]
        hidden = self._model.embedding(last).unsqueeze(1)  # (row, 1, d_model)
        for number, layer in enumerate(self._layers):
            own, cross = self._own[number, :, : self._rows], self._cross[number, :, : self._rows, :, :source]
            hidden = layer.step(hidden, own, self._column, window, bias, cross, cross_bias)
        self._column += 1
        return self._model.head(self._model.decoder.norm(hidden)).squeeze(1).float()

    def _bias(self, first: int) -> Tensor:
        """Bias (row or 1, head, 1, column) by distance; shut where a row had not begun."""
        width = self._column + 1 - first
        bias = self._distance_bias[..., self._distance_bias.shape[-1] - width :]
        if max(self._starts) == first:
            return bias
        columns = torch.arange(first, self._column + 1, device=self.device)
        starts = torch.tensor(self._starts, device=self.device)
        shut = (columns < starts[:, None])[:, None, None, :]
        return bias.masked_fill(shut, torch.finfo(bias.dtype).min)

    def _bias_of_sources(self) -> Tensor:
        if self._cross_bias is None:
            positions = torch.arange(self._longest_source(), device=self.device)
            lengths = torch.tensor(self._sources, device=self.device)
            self._cross_bias = self._model.masking(positions < lengths[:, None])
        return self._cross_bias

    def _longest_source(self) -> int:
        return max(self._sources, default=0)

    def _fit(self, rows: int, source: int, answer: int) -> None:
        """Make the buffers large enough, and no larger than that by more than a factor."""
        _, _, has_rows, _, columns, _ = self._own.shape
        if has_rows >= rows and columns >= _SLACK * answer and self._cross.shape[4] >= source:
            return
        columns, source = _SLACK * _rounded(answer), _rounded(source)
        own, cross = self._buffer(_rounded(rows), columns), self._buffer(_rounded(rows), source)
        if self._rows:
            self._to_the_front()
            own[:, :, : self._rows, :, : self._column] = self._own[:, :, : self._rows, :, : self._column]
            held = self._longest_source()
            cross[:, :, : self._rows, :, :held] = self._cross[:, :, : self._rows, :, :held]
        self._own, self._cross = own, cross
        self._distance_bias = self._bias_by_distance(columns)

    def _to_the_front(self) -> None:
        """Drop the columns before the oldest row's first one."""
        first = min(self._starts)
        kept = self._own[:, :, : self._rows, :, first : self._column]
        self._own[:, :, : self._rows, :, : self._column - first] = kept.clone()
        self._column -= first
        self._starts = [start - first for start in self._starts]

    def _buffer(self, rows: int, columns: int) -> Tensor:
        shape = (len(self._layers), 2, rows, self._heads, columns, self._size)
        return self._model.embedding.weight.new_zeros(shape)

    def _bias_by_distance(self, columns: int) -> Tensor:
        """Bias (1, head, 1, columns) of a query at the last of so many columns."""
        return self._model.decoder.positions(1, columns, max(0, columns - 1))


class _LayerWeights(nn.Module):
    """One decoder layer; queries, keys and values come from one product, because calls cost more than arithmetic."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        assert layer.cross_attention is not None
        assert layer.cross_norm is not None
        self.layer, self.attention, self.cross = layer, layer.self_attention, layer.cross_attention
        self.cross_norm = layer.cross_norm
        self.projection = torch.cat([self.attention.q.weight, self.attention.k.weight, self.attention.v.weight])

    def step(
        self,
        hidden: Tensor,
        own: Tensor,
        column: int,
        window: slice,
        bias: Tensor,
        crossed: Tensor,
        cross_bias: Tensor,
    ) -> Tensor:
        """``own`` and ``crossed`` are keys and values (2, row, head, position, size); ``own`` gets a column more."""
        layer, attention, cross = self.layer, self.attention, self.cross
        projected = functional.linear(layer.self_norm(hidden), self.projection)
        query, key, value = (attention.split(part) for part in projected.chunk(3, dim=-1))
        own[0, :, :, column], own[1, :, :, column] = key[:, :, 0], value[:, :, 0]
        hidden = hidden + _attend(attention, query, own[0, :, :, window], own[1, :, :, window], bias)
        query = cross.split(cross.q(self.cross_norm(hidden)))
        hidden = hidden + _attend(cross, query, crossed[0], crossed[1], cross_bias)
        return hidden + layer.feed_forward(layer.feed_forward_norm(hidden))


def _attend(attention: Attention, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=1.0)
    return attention.o(mixed.transpose(1, 2).flatten(2))


def _rounded(length: int) -> int:
    """The next power of two, so that buffers are laid out anew only now and then."""
    return 1 << max(0, length - 1).bit_length()
