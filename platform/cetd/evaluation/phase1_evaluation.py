"""Phase 1: the model's ranking of candidate sections against BM25 alone on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from cetd.config.train import TrainJobConfig
from cetd.data.phases.phase1 import label
from cetd.data.tokenizer import Tokenizer
from cetd.evaluation.phase_evaluation import SHOWN, Evaluation, Row, Shown, Table, Told, chosen, percent
from cetd.evaluation.ranking import rank
from cetd.evaluation.retrieval import NONE, Ranking, by_place, figures, threshold
from cetd.models.encoder_decoder import EncoderDecoder

_BATCH = 16
_NOTE = (
    "Accuracy@1 and MRR with “none of these” as one of the answers; then among the candidates alone, on rows that have "
    "a true one. BM25 says “none of these” below a score chosen on the training rows."
)
_PLACES_NOTE = (
    "Accuracy@1 by where BM25 has the truth. A true section that it does not find among the best stands last: BM25 "
    "alone cannot choose it, and elsewhere than on such data a section that was not found would not be there to choose."
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
    """Rank the candidates of every row; ``training`` are the rows that BM25's threshold is chosen on.

    Raises:
        ValueError: no training rows.
    """
    level = threshold([row["label"] for row in training], [row["bm25_scores"] for row in training])
    bm25 = [Ranking(row["label"], tuple(row["bm25_scores"]), level) for row in rows]
    rankers = {"model": _ranked(model, tokenizer, rows, config.data.max_input_tokens, told), "BM25 alone": bm25}
    places = {name: by_place(rankings) for name, rankings in rankers.items()}
    found = {
        name: asdict(figures(rankings))
        | {"accuracy_by_place": {place: figures(group).accuracy for place, group in places[name].items()}}
        for name, rankings in rankers.items()
    }
    found["BM25 alone"]["threshold"] = level if level > float("-inf") else None
    counts = {place: len(group) for place, group in places["model"].items()}
    return Evaluation(1, split, len(rows), found, _tables(found, counts), _examples(rows, rankers))


def _ranked(
    model: EncoderDecoder, tokenizer: Tokenizer, rows: Sequence[Row], max_input_tokens: int, told: Told
) -> list[Ranking]:
    rankings: list[Ranking] = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        inputs, labels = [row["input"] for row in batch], [row["label"] for row in batch]
        answers = [row["answers"] for row in batch]
        rankings += rank(model, tokenizer, inputs, labels, answers, max_input_tokens)
        if start // _BATCH % 10 == 9 or len(rankings) == len(rows):
            told(f"ranked {len(rankings)} of {len(rows)} rows")
    return rankings


def _tables(found: dict, counts: dict[str, int]) -> tuple[Table, ...]:
    columns = {
        "accuracy": "accuracy@1",
        "mrr": "MRR",
        "candidate_accuracy": "accuracy@1, candidates alone",
        "candidate_mrr": "MRR, candidates alone",
        "none_precision": "“none” precision",
        "none_recall": "“none” recall",
    }
    overall = tuple((name, *(percent(one[key]) for key in columns)) for name, one in found.items())
    places = tuple(
        (name, *(percent(one["accuracy_by_place"][place]) for place in counts)) for name, one in found.items()
    )
    head = ("truth", *(f"{place} ({count} rows)" for place, count in counts.items()))
    return (
        Table("Finding the relevant section", _NOTE, ("ranker", *columns.values()), overall),
        Table("Accuracy@1 by the place of the truth", _PLACES_NOTE, head, places),
    )


def _examples(rows: Sequence[Row], rankers: dict[str, list[Ranking]]) -> tuple[Shown, ...]:
    shown = []
    for index in chosen(len(rows), SHOWN):
        row = rows[index]
        answers = {name: rankings[index].answer for name, rankings in rankers.items()}
        verdict = ", ".join(f"{name} {'right' if one == row['label'] else 'wrong'}" for name, one in answers.items())
        said = [f"{name}: {_named(row, one)}" for name, one in answers.items()]
        texts = {"Input": row["input"], "Wanted": _named(row, row["label"]), "Answered": "\n".join(said)}
        shown.append(Shown(f"{row['path']}: {row['symbol']}", verdict, texts))
    return tuple(shown)


def _named(row: Row, answer: int) -> str:
    return label(answer) if answer == NONE else f"{label(answer)} {row['candidates'][answer]}"
