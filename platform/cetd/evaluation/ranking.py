"""A model's scores of phase 1's candidates: how much more probable than "none of these" it holds each one's target."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cetd.data.phases.phase1 import NONE_LABEL
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs
from cetd.training.batches import padded


@torch.inference_mode()
def log_odds(
    model: EncoderDecoder,
    tokenizer: Tokenizer,
    inputs: Sequence[str],
    answers: Sequence[Sequence[str]],
    max_input_tokens: int,
) -> list[tuple[float, ...]]:
    """Log-probability (nats) of each of a row's ``answers``, the whole target, less that of "none of these".

    Inputs, one batch, are cut to ``max_input_tokens``, as training cuts them.
    """
    prompts = [ids[:max_input_tokens] for ids in tokenizer.encode_batch(inputs)]
    rows = torch.tensor([row for row, one in enumerate(answers) for _ in range(len(one) + 1)])
    texts = [text for one in answers for text in (*one, NONE_LABEL)]
    sequences = [[*ids, EOS_ID] for ids in tokenizer.encode_batch(texts)]
    targets, lengths = padded(sequences, PAD_ID), torch.tensor([len(ids) for ids in sequences])
    target_mask = torch.arange(targets.shape[1]) < lengths[:, None]  # (answers, target)
    source = padded(prompts, PAD_ID)
    mask = torch.arange(source.shape[1]) < torch.tensor([len(ids) for ids in prompts])[:, None]
    log_probs = sequence_log_probs(model, source, mask, targets, target_mask, rows=rows).sum(-1)
    by_row = log_probs.split([len(one) + 1 for one in answers])
    return [tuple((one[:-1] - one[-1]).tolist()) for one in by_row]
