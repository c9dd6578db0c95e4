"""A model's ranking of phase 1's candidates: the log-probability of each answer, "none of these" included.

Of each answer only the tokens count that set it apart from the others: what follows can be only that one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cetd.data.phases.phase1 import label
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.evaluation.retrieval import NONE, Ranking
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs
from cetd.training.batches import padded


@torch.inference_mode()
def rank(
    model: EncoderDecoder,
    tokenizer: Tokenizer,
    inputs: Sequence[str],
    labels: Sequence[int],
    candidates: Sequence[int],
    max_input_tokens: int,
) -> list[Ranking]:
    """Rank the candidates of one batch of rows: ``candidates`` is how many each has.

    Inputs are cut to ``max_input_tokens``, as training cuts them.
    """
    prompts = [ids[:max_input_tokens] for ids in tokenizer.encode_batch(inputs)]
    answers = [distinguishing(tokenizer, count) for count in candidates]
    rows = torch.tensor([row for row, one in enumerate(answers) for _ in one])
    sequences = [ids for one in answers for ids in one]
    targets, lengths = padded(sequences, PAD_ID), torch.tensor([len(ids) for ids in sequences])
    target_mask = torch.arange(targets.shape[1]) < lengths[:, None]  # (answers, target)
    source = padded(prompts, PAD_ID)
    mask = torch.arange(source.shape[1]) < torch.tensor([len(ids) for ids in prompts])[:, None]
    log_probs = sequence_log_probs(model, source, mask, targets, target_mask, rows=rows).sum(-1).tolist()
    rankings, start = [], 0
    for truth, count in zip(labels, candidates, strict=True):
        *scores, none_score = log_probs[start : start + count + 1]
        rankings.append(Ranking(truth, tuple(scores), none_score))
        start += count + 1
    return rankings


def distinguishing(tokenizer: Tokenizer, candidates: int) -> list[list[int]]:
    """Of each candidate's label, and at the end of "none of these", the shortest beginning that no other one has."""
    labels = [label(index) for index in (*range(candidates), NONE)]
    whole = [[*ids, EOS_ID] for ids in tokenizer.encode_batch(labels)]
    return [
        next(ids[:end] for end in range(1, len(ids) + 1) if sum(other[:end] == ids[:end] for other in whole) == 1)
        for ids in whole
    ]
