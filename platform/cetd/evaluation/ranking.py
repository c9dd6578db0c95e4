"""A model's ranking of phase 1's candidates: the log-probability of each answer, "none of these" included.

Of each answer only the tokens count that set it apart from the others: what follows can be only that one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cetd.data.phases.phase1 import NONE_LABEL
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.evaluation.retrieval import Ranking
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs
from cetd.training.batches import padded


@torch.inference_mode()
def rank(
    model: EncoderDecoder,
    tokenizer: Tokenizer,
    inputs: Sequence[str],
    labels: Sequence[int],
    answers: Sequence[Sequence[str]],
    max_input_tokens: int,
) -> list[Ranking]:
    """Rank the candidates of one batch of rows: ``answers`` are the targets of each row's candidates.

    Inputs are cut to ``max_input_tokens``, as training cuts them.
    """
    prompts = [ids[:max_input_tokens] for ids in tokenizer.encode_batch(inputs)]
    beginnings = [distinguishing(tokenizer, one) for one in answers]
    rows = torch.tensor([row for row, one in enumerate(beginnings) for _ in one])
    sequences = [ids for one in beginnings for ids in one]
    targets, lengths = padded(sequences, PAD_ID), torch.tensor([len(ids) for ids in sequences])
    target_mask = torch.arange(targets.shape[1]) < lengths[:, None]  # (answers, target)
    source = padded(prompts, PAD_ID)
    mask = torch.arange(source.shape[1]) < torch.tensor([len(ids) for ids in prompts])[:, None]
    log_probs = sequence_log_probs(model, source, mask, targets, target_mask, rows=rows).sum(-1).tolist()
    rankings, start = [], 0
    for truth, one in zip(labels, beginnings, strict=True):
        *scores, none_score = log_probs[start : start + len(one)]
        rankings.append(Ranking(truth, tuple(scores), none_score))
        start += len(one)
    return rankings


def distinguishing(tokenizer: Tokenizer, answers: Sequence[str]) -> list[list[int]]:
    """Of each answer, and at the end of "none of these", the shortest beginning in tokens that no other one has.

    Tokens may join a label with what follows it, so whole answers are compared, not labels.
    """
    whole = [[*ids, EOS_ID] for ids in tokenizer.encode_batch([*answers, NONE_LABEL])]
    return [
        next(ids[:end] for end in range(1, len(ids) + 1) if sum(other[:end] == ids[:end] for other in whole) == 1)
        for ids in whole
    ]
