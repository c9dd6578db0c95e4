"""Warm start: a pretrained model takes a tokenizer with more tokens than it was trained with.

The old tokens keep their rows, and so their embeddings and logits. Knows nothing of tokenizers but their size; the ids
of the tokens with a role travel beside the model, see :class:`cetd.models.huggingface.TokenIds`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder

Model = TypeVar("Model", bound=EncoderDecoder | Decoder)

TABLES = ("embedding.weight", "embed_tokens.weight", "lm_head.weight")
# Of the old rows' spread: new tokens differ from each other and stay near the mean.
NOISE = 0.01


def resize_vocabulary(model: Model, vocab_size: int, seed: int = 0) -> Model:
    """A copy of ``model`` with ``vocab_size`` rows in its embedding and its untied head.

    New rows are the mean of the old ones plus noise that follows from ``seed``. At the mean a new token takes little
    probability from the old ones, while small random rows can take nearly all of it (Hewitt 2021).

    Raises:
        ValueError: ``vocab_size`` is less than the model has.
    """
    rows = model.config.vocab_size
    if vocab_size < rows:
        raise ValueError(
            f"vocab_size={vocab_size}: the model has {rows} tokens and would lose {rows - vocab_size} of them; "
            "use the tokenizer it was trained with, with tokens added"
        )
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: _with_rows(tensor, vocab_size, generator) if name in TABLES else tensor.clone()
        for name, tensor in model.state_dict().items()
    }
    config: Any = model.config.model_copy(update={"vocab_size": vocab_size})
    with torch.device("meta"):
        resized = type(model)(config)
    resized.load_state_dict(tensors, assign=True)
    return resized.train(model.training)


def _with_rows(table: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """(rows, d_model): the rows of ``table`` (fewer, d_model), and new ones around their mean."""
    spread, mean = torch.std_mean(table.float(), dim=0, correction=0)
    noise = torch.randn(rows - len(table), table.shape[1], generator=generator).to(table.device)
    return torch.cat([table, (mean + NOISE * spread * noise).to(table.dtype)])
