"""Supervised training on (prompt, completion) pairs of token ids, for both kinds of model.

The loss is the mean cross-entropy of the completions' tokens. Promises: on a CPU the same examples, configuration,
seed and thread count give the same weights to the bit. Knows nothing of apps, dialects or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from cetd.config import PretrainConfig
from cetd.data.tokenizer import PAD_ID
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.optimizer import apply_gradients, make_optimizer

# (steps done, steps in all, loss)
Progress = Callable[[int, int, float], None]

# Targets that carry no loss.
_IGNORED = -100
# A pool of this many batches is sorted by length before it is cut into batches: little padding, still mixed.
_POOL_BATCHES = 8


@dataclass(frozen=True)
class Example:
    """A prompt, and the completion that the model is to learn, its EOS included."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


def pretrain(
    model: EncoderDecoder | Decoder,
    examples: Sequence[Example],
    config: PretrainConfig,
    seed: int,
    progress: Progress | None = None,
) -> list[float]:
    """Train in place for ``config.steps`` steps; returns the loss of each.

    Raises:
        ValueError: no examples.
    """
    if not examples:
        raise ValueError("examples: none were given; there is nothing to learn from")
    torch.manual_seed(seed)  # dropout
    model.train()
    optimizer = make_optimizer(model, config.optimizer)
    losses: list[float] = []
    for step, batch in enumerate(_batches(examples, config, Random(seed))):
        optimizer.zero_grad(set_to_none=True)
        loss = completion_loss(model, batch)
        loss.backward()
        apply_gradients(optimizer, step, config.steps, config.optimizer)
        losses.append(float(loss.detach()))
        if progress:
            progress(step + 1, config.steps, losses[-1])
    model.eval()
    return losses


def completion_loss(model: EncoderDecoder | Decoder, batch: Sequence[Example]) -> Tensor:
    """Mean cross-entropy over all tokens of the completions of a batch."""
    if isinstance(model, EncoderDecoder):
        logits, targets = _encoder_decoder_logits(model, batch)
    else:
        logits, targets = _decoder_logits(model, batch)
    return functional.cross_entropy(logits, targets)


def _encoder_decoder_logits(model: EncoderDecoder, batch: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """(tokens, vocabulary) logits of the completions' tokens, and the tokens."""
    prompts = _padded([example.prompt for example in batch], PAD_ID)
    mask = torch.arange(prompts.shape[1]) < torch.tensor([len(example.prompt) for example in batch])[:, None]
    inputs = _padded([(PAD_ID, *example.completion[:-1]) for example in batch], PAD_ID)
    targets = _padded([example.completion for example in batch], _IGNORED)
    learned = targets != _IGNORED
    return model(prompts, mask, inputs)[learned], targets[learned]


def _decoder_logits(model: Decoder, batch: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """As above. Sequences are padded on the right, where causal attention does not look."""
    inputs = _padded([(*example.prompt, *example.completion)[:-1] for example in batch], PAD_ID)
    targets = _padded([(*[_IGNORED] * (len(example.prompt) - 1), *example.completion) for example in batch], _IGNORED)
    learned = targets != _IGNORED
    return model(inputs)[learned], targets[learned]


def _padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """(batch, longest) ids."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


def _batches(examples: Sequence[Example], config: PretrainConfig, rng: Random) -> Iterator[list[Example]]:
    """``config.steps`` batches: epochs in random order, batches of similar length in random order within a pool."""
    size = min(config.batch_size, len(examples))
    order: list[int] = []
    done = 0
    while done < config.steps:
        while len(order) < size * _POOL_BATCHES:
            epoch = list(range(len(examples)))
            rng.shuffle(epoch)
            order += epoch
        pool, order = order[: size * _POOL_BATCHES], order[size * _POOL_BATCHES :]
        pool.sort(key=lambda index: len(examples[index]))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(batches)
        for batch in batches[: config.steps - done]:
            yield [examples[index] for index in batch]
            done += 1
