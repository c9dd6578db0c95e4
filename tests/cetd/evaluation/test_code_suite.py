"""The suite: an oracle gets all of it, what knows nothing gets chance, and the items are the same every time."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch import Tensor

from cetd.config import DecoderConfig
from cetd.data.packed import Packed, write_packed
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.evaluation.code_suite import BEFORE, CHOICES, CONTINUED, TASKS, Suite, build, score
from cetd.models.decoder import Decoder

LENGTH, ROWS = 128, 24


def program(rng: Random) -> str:
    names = rng.sample(["total", "value", "items", "result", "index", "count"], 3)
    lines = [f"def {names[0]}({names[1]}, {names[2]}):"]
    for _ in range(8):
        first, second = rng.sample(names, 2)
        lines.append(rng.choice(["    {} = [{}, 1]", "    {} = {{{}: 2}}", "    {} = sum({})"]).format(first, second))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("packed"), Random(0)
    tokenizer = Tokenizer.train(["name", "other"], 268)
    tokens, documents = np.zeros((ROWS, LENGTH), np.int32), np.zeros((ROWS, LENGTH), np.int32)
    for row in range(ROWS):
        ids = [*tokenizer.encode(program(rng)), EOS_ID][: LENGTH - 8]
        tokens[row, : len(ids)], documents[row, : len(ids)] = ids, 1
    write_packed(folder, tokenizer, {"validation": (tokens, documents)})
    return folder


def suite_of(packed: Path, items: int = 12, seed: int = 0) -> Suite:
    return build(Packed(packed, "validation"), Tokenizer.load(packed / "tokenizer"), items, seed)


class Oracle(Decoder):
    """Has seen every row, and knows that a sequence is repeated."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(
            DecoderConfig(vocab_size=268, d_model=8, d_ff=8, d_head=4, n_heads=2, n_kv_heads=2, n_layers=1)
        )
        rows = [torch.cat([suite.inputs, suite.targets.clamp(min=0)[:, -1:]], 1), suite.copies]
        rows.append(suite.continuations[::CHOICES])
        self.known = [row for group in rows for row in group]

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, of: Tensor | None = None) -> Tensor:
        logits = torch.zeros(*input_ids.shape, 268)
        for place, row in enumerate(input_ids):
            for known in self.known:
                before = min(BEFORE, len(row) // 2 + 1)
                if len(known) == len(row) + 1 and torch.equal(known[:before], row[:before]):
                    logits[place].scatter_(1, known[1:, None], 20.0)
        return logits


def test_an_oracle_gets_everything_right(packed: Path) -> None:
    suite = suite_of(packed)
    scores = score(Oracle(suite), suite)
    assert tuple(scores) == TASKS
    assert scores.pop("perplexity") == pytest.approx(1.0, abs=1e-3)
    assert set(scores.values()) == {1.0}


def test_a_model_that_knows_nothing_is_at_chance(packed: Path) -> None:
    suite = suite_of(packed)
    torch.manual_seed(0)
    model = Decoder(DecoderConfig(vocab_size=268, d_model=8, d_ff=8, d_head=4, n_heads=2, n_kv_heads=2, n_layers=1))
    for parameter in model.parameters():
        parameter.data.zero_()
    scores = score(model, suite)
    assert scores["perplexity"] == pytest.approx(268, rel=1e-3)
    assert scores["brackets"] == pytest.approx(1 / 3)
    assert scores["copy"] == 0.0


def test_brackets_are_as_many_of_each_kind_and_wrong_continuations_come_from_elsewhere(packed: Path) -> None:
    suite = suite_of(packed)
    closed = suite.targets.flatten()[suite.bracket_places].tolist()
    assert [closed.count(token) for token in suite.closing] == [4, 4, 4]
    choices = suite.continuations.view(-1, CHOICES, BEFORE + CONTINUED)
    assert (choices[:, :, :BEFORE] == choices[:, :1, :BEFORE]).all()
    half = suite.copies.shape[1] // 2
    assert torch.equal(suite.copies[:, :half], suite.copies[:, half:])


def test_the_items_follow_from_the_seed(packed: Path) -> None:
    first, again, other = suite_of(packed), suite_of(packed), suite_of(packed, seed=1)
    for one in fields(Suite):
        if isinstance(value := getattr(first, one.name), Tensor):
            assert torch.equal(value, getattr(again, one.name))
    assert not torch.equal(first.copies, other.copies)


def test_tasks_without_items_are_left_out(packed: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(packed / "tokenizer")
    ids = tokenizer.encode("name other")
    tokens, documents = np.zeros((2, 64), np.int32), np.zeros((2, 64), np.int32)
    tokens[:, : len(ids)], documents[:, : len(ids)] = ids, 1
    write_packed(tmp_path, tokenizer, {"validation": (tokens, documents)})
    suite = suite_of(tmp_path)
    assert "cloze" not in score(Oracle(suite), suite)
    assert "brackets" not in score(Oracle(suite), suite)
