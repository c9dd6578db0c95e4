"""Tokens per second of what could serve CET-D on a CPU: our continuous batch, CTranslate2, Hugging Face's generate.

The same random weights, sources and greedy decoding; every side keeps so many rows at work and writes as many tokens.
The figures count processor time, because the machine may have other work: what a token costs, not how long one waits.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import ctranslate2
import torch

from cetd.config import EncoderDecoderConfig, SamplingConfig
from cetd.data.tokenizer import EOS_ID, PAD_ID
from cetd.feedback.batch import pad
from cetd.generation.continuous import ContinuousBatch, Request
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.translator import write_translator

Sources = list[tuple[int, ...]]
# Makes the texts of some sources, so many rows at once; the number of tokens written.
Side = Callable[[Sources, int], int]
# The policy of configs/feedback/demo.yaml.
DEMO = EncoderDecoderConfig(vocab_size=1536, d_model=128, d_ff=256, d_kv=32, feed_forward="gated-gelu")


def compare(config: EncoderDecoderConfig, rows: Sequence[int], sources: int, read: int, written: int) -> dict[str, Any]:
    """Tokens per second of processor time, by side and rows.

    Args:
        rows: how many decode together.
        sources: texts in all, of ``read`` tokens on average each.
        written: tokens of each text; none ends before.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = EncoderDecoder(config).eval()
    random = Random(0)
    texts = [
        tuple(random.randrange(EOS_ID + 1, config.vocab_size) for _ in range(random.randint(read // 2, 3 * read // 2)))
        for _ in range(sources)
    ]
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: {str(count): _speed(side, texts, count) for count in rows}
            for name, side in _sides(model, Path(folder), written).items()
        }


def _speed(side: Side, texts: Sources, rows: int) -> float:
    side(texts[:rows], rows)
    began = time.process_time()
    return side(texts, rows) / (time.process_time() - began)


def _sides(model: EncoderDecoder, folder: Path, written: int) -> dict[str, Side]:
    sampling = SamplingConfig(temperature=0, max_new_tokens=written)
    names = write_translator(model, [], folder)
    huggingface.save(model, folder / "huggingface")

    def continuous(texts: Sources, rows: int) -> int:
        # No token ends a row: each side writes the same number.
        batch = ContinuousBatch(model, eos_id=-1, pad_id=PAD_ID, max_rows=rows, max_batch_tokens=1 << 30)
        for key, text in enumerate(texts):
            batch.add(key, Request(text, sampling))
        drawn = 0
        while batch.waiting or batch.running:
            drawn += len(batch.step())
        return drawn

    def translating(precision: str) -> Side:
        translator = ctranslate2.Translator(
            str(folder), device="cpu", compute_type=precision, inter_threads=1, intra_threads=1
        )

        def translate(texts: Sources, rows: int) -> int:
            drawn = 0
            for begin in range(0, len(texts), rows):
                found = translator.translate_batch(
                    [[names[token] for token in text] for text in texts[begin : begin + rows]],
                    beam_size=1,
                    max_decoding_length=written,
                    min_decoding_length=written,
                )
                drawn += sum(len(one.hypotheses[0]) for one in found)
            return drawn

        return translate

    from transformers import T5ForConditionalGeneration

    theirs: Any = T5ForConditionalGeneration.from_pretrained(folder / "huggingface").eval()

    @torch.inference_mode()
    def generate(texts: Sources, rows: int) -> int:
        drawn = 0
        for begin in range(0, len(texts), rows):
            tokens, mask = pad([list(text) for text in texts[begin : begin + rows]], PAD_ID, torch.long)
            found = theirs.generate(
                input_ids=tokens,
                attention_mask=mask.long(),
                do_sample=False,
                min_new_tokens=written,
                max_new_tokens=written,
            )
            drawn += found[:, 1:].numel()
        return drawn

    return {
        "continuous batch, fp32": continuous,
        "CTranslate2, fp32": translating("float32"),
        "CTranslate2, int8": translating("int8"),
        "Hugging Face generate, fp32": generate,
    }
