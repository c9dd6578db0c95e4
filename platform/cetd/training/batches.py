"""From examples to padded tensors, and from them to the loss of each learned token, for both families of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.data.example import Example
from cetd.data.packed import PackedRow
from cetd.data.tokenizer import PAD_ID
from cetd.parallel.collectives import Group
from cetd.parallel.cross_entropy import cross_entropy

# Targets that carry no loss.
IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Padded ids. ``inputs`` are what forward takes, ``targets`` (batch, position) the token after each position."""

    inputs: tuple[Tensor, ...]
    targets: Tensor
    weights: Tensor  # (batch,)

    @property
    def tokens(self) -> int:
        """Tokens that carry loss."""
        return int((self.targets != IGNORED).sum())

    def to(self, device: torch.device) -> Batch:
        inputs = tuple(tensor.to(device, non_blocking=True) for tensor in self.inputs)
        return Batch(inputs, self.targets.to(device, non_blocking=True), self.weights.to(device, non_blocking=True))


def make_batch(
    config: EncoderDecoderConfig | DecoderConfig, examples: Sequence[Example] | Sequence[PackedRow]
) -> Batch:
    """Pad ``examples`` for a model of ``config``'s family; packed rows are for decoders.

    A decoder reads prompt and completion as one sequence, padded on the right, where causal attention does not look.
    """
    rows = [example for example in examples if isinstance(example, PackedRow)]
    if rows:
        return _packed(rows)
    return _padded(config, [example for example in examples if isinstance(example, Example)])


def _packed(rows: Sequence[PackedRow]) -> Batch:
    """Every token is learned from those before it in its document; a document's first token is not."""
    tokens, documents = (
        torch.from_numpy(np.stack(columns)).long()
        for columns in ([row.tokens for row in rows], [row.documents for row in rows])
    )
    continues = (documents[:, 1:] == documents[:, :-1]) & (documents[:, 1:] > 0)
    targets = tokens[:, 1:].masked_fill(~continues, IGNORED)
    return Batch((tokens[:, :-1], documents[:, :-1]), targets, torch.ones(len(rows)))


def _padded(config: EncoderDecoderConfig | DecoderConfig, examples: Sequence[Example]) -> Batch:
    weights = torch.tensor([example.weight for example in examples])
    if isinstance(config, EncoderDecoderConfig):
        prompts = padded([example.prompt for example in examples], PAD_ID)
        mask = torch.arange(prompts.shape[1]) < torch.tensor([len(example.prompt) for example in examples])[:, None]
        inputs = padded([(PAD_ID, *example.completion[:-1]) for example in examples], PAD_ID)
        targets = padded([example.completion for example in examples], IGNORED)
        return Batch((prompts, mask, inputs), targets, weights)
    inputs = padded([(*example.prompt, *example.completion)[:-1] for example in examples], PAD_ID)
    silent = [[IGNORED] * (len(example.prompt) - 1) for example in examples]
    targets = padded([(*s, *e.completion) for s, e in zip(silent, examples, strict=True)], IGNORED)
    return Batch((inputs,), targets, weights)


def summed_loss(forward: Callable[..., Tensor], batch: Batch, first: int = 0, group: Group = None) -> Tensor:
    """Cross-entropy summed over the learned tokens of a batch, each by its example's weight.

    Args:
        forward: a model; its logits are of the whole vocabulary, or of the share that begins at ``first`` where
            ``group`` holds the others.
    """
    learned = (batch.targets != IGNORED).flatten().nonzero()[:, 0]
    weights = batch.weights[:, None].expand_as(batch.targets).flatten()[learned]
    logits = forward(*batch.inputs, of=learned)
    return (cross_entropy(logits, batch.targets.flatten()[learned], first, group) * weights).sum()


def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """(batch, longest) ids."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])
