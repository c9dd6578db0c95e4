from __future__ import annotations

import pytest
import torch

from cetd.config import EncoderDecoderConfig
from cetd.data.phases.phase1 import label
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.evaluation.ranking import distinguishing, rank
from cetd.models.encoder_decoder import EncoderDecoder

TEXTS = ["[A] def wrap(text):", "[B] class Mean:", "[none]", "which one?", "and which of these is it?"]

LABELS = [label(0), label(1), label(2)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS * 3, 300)


@pytest.mark.parametrize("header", ["", " def wrap(text):", " class Mean:"])
def test_no_beginning_is_another_answers(header: str, tokenizer: Tokenizer) -> None:
    for count in range(1, 10):
        answers = [f"{label(index)}{header}" for index in range(count)]
        beginnings = distinguishing(tokenizer, answers)
        assert len(beginnings) == count + 1
        for one, text in zip(beginnings, [*answers, "[none]"], strict=True):
            assert not any(other[: len(one)] == one for other in beginnings if other is not one)
            assert [*tokenizer.encode(text), EOS_ID][: len(one)] == one


def test_scores_are_the_log_probabilities_that_each_row_has_alone(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    small = EncoderDecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=16, d_ff=32, d_kv=8, n_heads=2, encoder_layers=1, decoder_layers=1
    )
    model = EncoderDecoder(small).eval().requires_grad_(False)
    together = rank(model, tokenizer, TEXTS[3:], [0, -1], [TEXTS[:2], LABELS], 100)
    assert [(one.label, len(one.scores)) for one in together] == [(0, 2), (-1, 3)]
    for text, ranking, answers in zip(TEXTS[3:], together, (TEXTS[:2], LABELS), strict=True):
        source = torch.tensor([tokenizer.encode(text)])
        for ids, score in zip(distinguishing(tokenizer, answers), (*ranking.scores, ranking.none_score), strict=True):
            logits = model(source, torch.ones_like(source), torch.tensor([[PAD_ID, *ids[:-1]]]))[0].log_softmax(-1)
            alone = sum(float(logits[place, token]) for place, token in enumerate(ids))
            assert score == pytest.approx(alone, abs=1e-4)
