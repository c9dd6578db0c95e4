"""Supervised training on (prompt, completion) pairs of token ids, for both kinds of model.

The loss is the mean cross-entropy of the completions' tokens. Promises: on a CPU the same examples, configuration,
seed and thread count give the same weights to the bit. Knows nothing of apps, dialects or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

import torch

from cetd.config import PretrainConfig
from cetd.data.example import Example
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.batches import make_batch, summed_loss
from cetd.training.optimizer import apply_gradients, make_optimizer

# (steps done, steps in all, loss)
Progress = Callable[[int, int, float], None]

# A pool of this many batches is sorted by length before it is cut into batches: little padding, still mixed.
_POOL_BATCHES = 8


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
    for step, chosen in enumerate(_batches(examples, config, Random(seed))):
        optimizer.zero_grad(set_to_none=True)
        batch = make_batch(model.config, chosen)
        loss = summed_loss(model, batch) / batch.tokens
        loss.backward()
        apply_gradients(optimizer, step, config.steps, config.optimizer)
        losses.append(float(loss.detach()))
        if progress:
            progress(step + 1, config.steps, losses[-1])
    model.eval()
    return losses


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
