"""Models written for CTranslate2, against our own decoding of them."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
import pytest
import torch

from cetd.config import EncoderDecoderConfig, SamplingConfig
from cetd.data.tokenizer import EOS_ID, PAD_ID
from cetd.generation.encoder_decoder import generate
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.translator import write_translator

LENGTH = 20
SHAPES = {
    "relu": {},
    "gated": {"feed_forward": "gated-gelu"},
    "untied": {"tied_lm_head": False},
    "heads wider than the model": {"n_heads": 5, "d_kv": 16},
    "depths that differ": {"encoder_layers": 1, "decoder_layers": 3},
    "other buckets": {"relative_buckets": 8, "relative_max_distance": 20},
}


@pytest.mark.parametrize("dimensions", SHAPES.values(), ids=SHAPES)
def test_the_translator_writes_what_the_model_does(dimensions: dict[str, object], tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = {"vocab_size": 60, "d_model": 32, "d_ff": 48, "d_kv": 8, "encoder_layers": 2, "decoder_layers": 2}
    model = EncoderDecoder(EncoderDecoderConfig.model_validate({**config, **dimensions})).eval()
    with torch.no_grad():
        for layer in model.decoder.blocks():
            assert layer.cross_attention is not None
            layer.cross_attention.o.weight *= 4  # so that texts differ between sources
    # Two rows of the embedding have no token.
    named = ["<PAD>", "<EOS>", *(f"t{number}" for number in range(2, 58))]
    names = write_translator(model, named, tmp_path)
    assert names == [*named, "<unused_0>", "<unused_1>"]
    sources = torch.randint(2, 60, (6, 40))
    expected = generate(
        model,
        sources,
        torch.ones_like(sources, dtype=torch.bool),
        samples=1,
        sampling=SamplingConfig(temperature=0, max_new_tokens=LENGTH),
        seeds=torch.zeros(6, dtype=torch.long),
        eos_id=EOS_ID,
        pad_id=PAD_ID,
    )
    translator = ctranslate2.Translator(str(tmp_path), device="cpu", compute_type="float32")
    given = [[names[token] for token in row] for row in sources.tolist()]
    found = translator.translate_batch(
        given, beam_size=1, max_decoding_length=LENGTH, min_decoding_length=0, return_end_token=True
    )
    assert [[names.index(token) for token in row.hypotheses[0]] for row in found] == [
        list(row.tokens) for row in expected
    ]
    assert len({row.tokens for row in expected}) > 1
