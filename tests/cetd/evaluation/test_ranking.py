from __future__ import annotations

import pytest
import torch

from cetd.config import EncoderDecoderConfig
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.evaluation.ranking import log_odds
from cetd.models.encoder_decoder import EncoderDecoder

QUERIES = ["which one?", "and which of these is it?"]
ANSWERS = [
    ["same full some [A]", "other no few [B]"],
    ["same full some [A]", "same full some [B]", "same part most [C]"],
]


def test_scores_are_the_log_odds_that_each_whole_answer_has_alone() -> None:
    tokenizer = Tokenizer.train([*QUERIES, *ANSWERS[0], *ANSWERS[1], "[none]"] * 3, 300)
    torch.manual_seed(0)
    small = EncoderDecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=16, d_ff=32, d_kv=8, n_heads=2, encoder_layers=1, decoder_layers=1
    )
    model = EncoderDecoder(small).eval().requires_grad_(False)

    def alone(query: str, answer: str) -> float:
        source, ids = torch.tensor([tokenizer.encode(query)]), [*tokenizer.encode(answer), EOS_ID]
        logits = model(source, torch.ones_like(source), torch.tensor([[PAD_ID, *ids[:-1]]]))[0].log_softmax(-1)
        return sum(float(logits[place, token]) for place, token in enumerate(ids))

    together = log_odds(model, tokenizer, QUERIES, ANSWERS, 100)
    for query, answers, scores in zip(QUERIES, ANSWERS, together, strict=True):
        none = alone(query, "[none]")
        assert scores == pytest.approx([alone(query, answer) - none for answer in answers], abs=1e-4)
