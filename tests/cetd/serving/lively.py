"""A small model with random weights that says something else of each source, and ends some rows early."""

from __future__ import annotations

from pathlib import Path

import torch

from cetd.config import EncoderDecoderConfig
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder


def lively_model(folder: Path, seed: int = 5) -> Path:
    """Write it, with a tokenizer that has characters of several bytes, into ``folder``."""
    tokenizer = Tokenizer.train(["def f(x):\n    return x + 1  # größer, 数, ☃\n"] * 20, 300)
    torch.manual_seed(seed)
    config = EncoderDecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=32, d_ff=64, d_kv=8, encoder_layers=2, tied_lm_head=False
    )
    model = EncoderDecoder(config)
    assert model.lm_head is not None
    with torch.no_grad():
        model.lm_head.weight[EOS_ID] *= 3
        for layer in model.decoder.blocks():
            assert layer.cross_attention is not None
            layer.cross_attention.o.weight *= 4
    huggingface.save(model, folder)
    tokenizer.save(folder)
    return folder
