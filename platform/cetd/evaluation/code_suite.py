"""A small suite for language models of code, from held-out packed rows: seconds on a CPU, the same items every time.

``perplexity`` of held-out code; ``identifiers``, accuracy of the next token where it is a name; ``brackets``, whether
the right one of ) ] } is likeliest where one closes, as many of each kind; ``copy``, accuracy on the second of two
equal sequences of random tokens (Olsson et al. 2022, "In-context Learning and Induction Heads"); ``cloze``, whether the
true continuation of real code is likelier than three from elsewhere. Tasks without items are left out.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cetd.config import DecoderConfig
from cetd.data.packed import Packed, PackedRow
from cetd.data.tokenizer import SMALLEST_VOCABULARY, Tokenizer
from cetd.models.decoder import Decoder
from cetd.seeds import derive
from cetd.training.batches import IGNORED, make_batch

TASKS = ("perplexity", "identifiers", "brackets", "copy", "cloze")
CHANCE = {"brackets": 1 / 3, "cloze": 1 / 4}
CLOSING = (")", "]", "}")
CHOICES = 4
# Tokens of a random sequence that is to be copied, of a continuation, and of what stands before it.
COPIED, CONTINUED, BEFORE = 16, 8, 48
_BATCH = 16


@dataclass(frozen=True)
class Suite:
    """Items as ids, the same for every model of the vocabulary.

    ``inputs``, ``documents``, ``targets``: (row, position). ``names``: (vocabulary,), true where a token is a name.
    ``closing``: ids of ) ] }, or empty. ``bracket_places``: indices into the rows one after another. ``copies``: (item,
    2 x copied). ``continuations``: (item x choices, before + continued), the true one first.
    """

    inputs: Tensor
    documents: Tensor
    targets: Tensor
    names: Tensor
    closing: tuple[int, ...]
    bracket_places: Tensor
    copies: Tensor
    continuations: Tensor


def build(held_out: Packed, tokenizer: Tokenizer, items: int, seed: int = 0) -> Suite:
    """So many items of each task, and as many rows."""
    rng = Random(derive("suite", seed))
    rows = held_out.examples(sorted(rng.sample(range(len(held_out)), min(items, len(held_out)))))
    batch = make_batch(DecoderConfig(), rows)
    inputs, documents = batch.inputs
    names = torch.tensor([_is_name(tokenizer.decode([token])) for token in range(tokenizer.vocab_size)])
    alone = [tokenizer.encode(character) for character in CLOSING]
    closing = tuple(ids[0] for ids in alone) if all(len(ids) == 1 for ids in alone) else ()
    return Suite(
        inputs=inputs,
        documents=documents,
        targets=batch.targets,
        names=names,
        closing=closing,
        bracket_places=_balanced(batch.targets.flatten(), closing, items, rng),
        copies=_copies(tokenizer, min(COPIED, (held_out.length - 1) // 2), items, rng),
        continuations=_continuations(rows, items, rng),
    )


@torch.no_grad()
def score(model: Decoder, suite: Suite) -> dict[str, float]:
    """The model's figure on each task that has items; higher is better but for perplexity."""
    device = next(model.parameters()).device
    model.eval()
    scores = _on_rows(model, suite, device)
    half = suite.copies.shape[1] // 2
    if half:
        right = [
            (model(part[:, :-1])[:, half - 1 :].argmax(-1) == part[:, half:]).float()
            for part in suite.copies.to(device).split(_BATCH)
        ]
        scores["copy"] = torch.cat(right).mean().item()
    if len(suite.continuations):
        likely = torch.cat([_likelihood(model, part) for part in suite.continuations.to(device).split(_BATCH)])
        scores["cloze"] = (likely.view(-1, CHOICES).argmax(1) == 0).float().mean().item()
    return scores


def _on_rows(model: Decoder, suite: Suite, device: torch.device) -> dict[str, float]:
    loss = tokens = named = right = 0.0
    closed: list[Tensor] = []
    width = suite.inputs.shape[1]
    for start in range(0, len(suite.inputs), _BATCH):
        part = slice(start, start + _BATCH)
        targets = suite.targets[part].to(device)
        logits = model(suite.inputs[part].to(device), suite.documents[part].to(device)).float()
        learned = targets != IGNORED
        loss += functional.cross_entropy(logits[learned], targets[learned], reduction="sum").item()
        tokens += int(learned.sum())
        wanted = learned & suite.names.to(device)[targets.clamp(min=0)]
        named += int(wanted.sum())
        right += int((logits.argmax(-1) == targets)[wanted].sum())
        places = suite.bracket_places - start * width
        places = places[(places >= 0) & (places < targets.numel())].to(device)
        if len(places):
            chosen = logits.flatten(0, 1)[places][:, list(suite.closing)].argmax(1)
            closed.append(torch.tensor(suite.closing, device=device)[chosen] == targets.flatten()[places])
    scores = {"perplexity": math.exp(min(loss / tokens, 100.0))} if tokens else {}
    if named:
        scores["identifiers"] = right / named
    if closed:
        scores["brackets"] = torch.cat(closed).float().mean().item()
    return scores


def _likelihood(model: Decoder, rows: Tensor) -> Tensor:
    """Log-probability (row,) of the continuation, the last tokens of a row."""
    logits = model(rows[:, :-1])[:, -CONTINUED:].float()
    return logits.log_softmax(-1).gather(-1, rows[:, -CONTINUED:, None]).sum((1, 2))


def _is_name(text: str) -> bool:
    stripped = text.strip()
    return stripped.isidentifier() and not keyword.iskeyword(stripped)


def _balanced(targets: Tensor, closing: tuple[int, ...], items: int, rng: Random) -> Tensor:
    """Places where a bracket closes, as many of each kind."""
    kinds = [(targets == token).nonzero()[:, 0].tolist() for token in closing]
    each = min([len(places) for places in kinds] + [max(1, items // len(CLOSING))]) if kinds else 0
    return torch.tensor(sorted(place for places in kinds for place in rng.sample(places, each)), dtype=torch.long)


def _copies(tokenizer: Tokenizer, length: int, items: int, rng: Random) -> Tensor:
    # Behind the control tokens, the structure tokens and the bytes, where the vocabulary has more.
    first = SMALLEST_VOCABULARY if tokenizer.vocab_size > 2 * SMALLEST_VOCABULARY else SMALLEST_VOCABULARY - 256
    drawn = [[rng.randrange(first, tokenizer.vocab_size) for _ in range(length)] for _ in range(items)]
    return torch.tensor([[*one, *one] for one in drawn])


def _continuations(rows: Sequence[PackedRow], items: int, rng: Random) -> Tensor:
    """Pieces of documents that are long enough; the wrong choices are other pieces' ends."""
    length = BEFORE + CONTINUED
    pieces: list[np.ndarray] = []
    for row in rows:
        for number in range(1, int(row.documents.max(initial=0)) + 1):
            tokens = row.tokens[row.documents == number]
            pieces += [tokens[start : start + length] for start in range(0, len(tokens) - length + 1, length)]
    if len(pieces) < CHOICES:
        return torch.empty(0, length, dtype=torch.long)
    chosen = rng.sample(range(len(pieces)), min(items, len(pieces)))
    made = []
    for true in chosen:
        others = rng.sample([index for index in range(len(pieces)) if index != true], CHOICES - 1)
        before = pieces[true][:BEFORE]
        made += [np.concatenate([before, pieces[index][BEFORE:]]) for index in (true, *others)]
    return torch.from_numpy(np.stack(made)).long()
