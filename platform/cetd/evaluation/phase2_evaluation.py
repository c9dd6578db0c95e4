"""Phase 2: the requirements that the model writes, greedily, against copying, overall and by severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from cetd.config import SamplingConfig
from cetd.config.train import TrainJobConfig
from cetd.data.tokenizer import EOS_ID, PAD_ID, STRUCTURE_TOKENS, Tokenizer
from cetd.evaluation.copying import Nearest, signature_only
from cetd.evaluation.phase_evaluation import SHOWN, Evaluation, Row, Shown, Table, Told, chosen, percent
from cetd.evaluation.requirements_metrics import RequirementsFigures, figures
from cetd.generation.encoder_decoder import generate
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.batches import padded

_BATCH = 32
_NOTE = (
    "Token F1 and ROUGE-L are means over rows, BLEU is of the corpus. Items count as found within their section: "
    "exactly by normalised text, softly from a token F1 of 0.5. Nearest example: the target of the training example "
    "whose input BM25 finds nearest. Signature alone: the header that stands in the input."
)

_SEVERITIES_NOTE = (
    "0: the source as it is; 1: without comments and docstrings; 2: names blurred; 3: shuffled among noise; "
    "4: truncated."
)


def evaluate(
    model: EncoderDecoder,
    tokenizer: Tokenizer,
    rows: Sequence[Row],
    training: Sequence[Row],
    config: TrainJobConfig,
    split: str,
    told: Told,
) -> Evaluation:
    """Write the requirements of every row, and compare; ``training`` is what the baseline copies from.

    Raises:
        ValueError: no training rows.
    """
    inputs, targets = [row["input"] for row in rows], [row["target"] for row in rows]
    nearest = Nearest([row["input"] for row in training], [row["target"] for row in training])
    writers = {
        "model": written_by(model, tokenizer, inputs, config, told),
        "nearest example": [nearest(text) for text in inputs],
        "signature alone": [signature_only(text) for text in inputs],
    }
    groups = {
        severity: [i for i, row in enumerate(rows) if row["severity"] == severity] for severity in _severities(rows)
    }
    overall = {name: figures(texts, targets) for name, texts in writers.items()}
    severities = {
        name: {
            severity: figures([texts[i] for i in group], [targets[i] for i in group])
            for severity, group in groups.items()
        }
        for name, texts in writers.items()
    }
    found = {
        name: _record(overall[name])
        | {"by_severity": {str(key): _record(one) for key, one in severities[name].items()}}
        for name in writers
    }
    counts = {severity: len(group) for severity, group in groups.items()}
    tables = (_overall(overall), _by_severity(severities, counts), _by_section(overall))
    return Evaluation(2, split, len(rows), found, tables, _examples(rows, writers))


def written_by(
    model: EncoderDecoder, tokenizer: Tokenizer, inputs: Sequence[str], config: TrainJobConfig, told: Told
) -> list[str]:
    """What the model makes of each input, token by token the likeliest, as long as training's targets at most."""
    prompts = [ids[: config.data.max_input_tokens] for ids in tokenizer.encode_batch(inputs)]
    sampling = SamplingConfig(temperature=0, max_new_tokens=config.data.max_output_tokens)
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))  # batches of like lengths
    texts = [""] * len(prompts)
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        source = padded([prompts[index] for index in batch], PAD_ID)
        mask = torch.arange(source.shape[1]) < torch.tensor([len(prompts[index]) for index in batch])[:, None]
        seeds = torch.zeros(len(batch), dtype=torch.int64)
        made = generate(model, source, mask, samples=1, sampling=sampling, seeds=seeds, eos_id=EOS_ID, pad_id=PAD_ID)
        for index, one in zip(batch, made, strict=True):
            texts[index] = tokenizer.decode(one.tokens)
        done = start + len(batch)
        if start // _BATCH % 5 == 4 or done == len(order):
            told(f"wrote {done} of {len(order)} rows")
    return texts


def _severities(rows: Sequence[Row]) -> list[int]:
    return sorted({row["severity"] for row in rows})


def _record(one: RequirementsFigures) -> dict[str, Any]:
    def items(found: Mapping[str, Any]) -> dict[str, Any]:
        return {
            tag.strip("<>"): asdict(count) | {"precision": count.precision, "recall": count.recall}
            for tag, count in found.items()
        }

    plain = {"rows": one.rows, "token_f1": one.token_f1, "rouge_l": one.rouge_l, "bleu": one.bleu}
    return plain | {"exact": items(one.exact), "soft": items(one.soft)}


def _overall(found: Mapping[str, RequirementsFigures]) -> Table:
    head = ("writer", "token F1", "ROUGE-L", "BLEU", "precision", "recall", "soft precision", "soft recall")
    rows = tuple(
        (
            name,
            *map(percent, (one.token_f1, one.rouge_l, one.bleu)),
            *(
                percent(part)
                for items in (one.exact["all"], one.soft["all"])
                for part in (items.precision, items.recall)
            ),
        )
        for name, one in found.items()
    )
    return Table("Structured requirements", _NOTE, head, rows)


def _by_severity(found: Mapping[str, Mapping[int, RequirementsFigures]], counts: Mapping[int, int]) -> Table:
    head = ("writer", *(f"severity {severity} ({count} rows)" for severity, count in counts.items()))
    rows = tuple((name, *(percent(one.token_f1) for one in by.values())) for name, by in found.items())
    return Table("Token F1 by severity", _SEVERITIES_NOTE, head, rows)


def _by_section(found: Mapping[str, RequirementsFigures]) -> Table:
    head = ("section", *(f"{name}: soft precision, recall" for name in found))
    rows = tuple(
        (
            tag.strip("<>"),
            *(f"{percent(one.soft[tag].precision)}, {percent(one.soft[tag].recall)}" for one in found.values()),
        )
        for tag in STRUCTURE_TOKENS
    )
    return Table("Items by section", "Items that agree by a token F1 of 0.5 or more.", head, rows)


def _examples(rows: Sequence[Row], writers: Mapping[str, Sequence[str]]) -> tuple[Shown, ...]:
    shown = []
    for index in chosen(len(rows), SHOWN):
        row = rows[index]
        texts = {"Input": row["input"], "Wanted": row["target"], "Written by the model": writers["model"][index]}
        score = figures([writers["model"][index]], [row["target"]]).token_f1
        shown.append(
            Shown(f"{row['path']}: {row['symbol']}", f"severity {row['severity']}, token F1 {score:.2f}", texts)
        )
    return tuple(shown)
