"""Phase 1: the model's ranking of candidate sections against BM25 alone on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from cetd.config.train import TrainJobConfig
from cetd.data.phases.phase1 import label
from cetd.data.tokenizer import Tokenizer
from cetd.evaluation.phase_evaluation import SHOWN, Evaluation, Row, Shown, Table, Told, chosen, percent
from cetd.evaluation.ranking import log_odds
from cetd.evaluation.retrieval import NONE, Ranking, by_place, figures, threshold
from cetd.models.encoder_decoder import EncoderDecoder

_BATCH = 16
# Training rows that the model's threshold is chosen on; BM25's is on all of them, as its scores are there already.
_TRAINING_ROWS = 1000
_WRONG_KIND = 1000.0
_NOTE = (
    "Accuracy@1 and MRR with “none of these” as one of the answers; then among the candidates alone, on rows that have "
    "a true one. All say “none of these” below a score chosen on training rows: the model's is the log-odds of a "
    "candidate's whole target, evidence and label, against “none of these”. BM25 and kind: where a function is asked "
    "for, classes come behind all functions, and the other way round."
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
    """Rank the candidates of every row; ``training`` are the rows that thresholds of "none of these" are chosen on.

    Raises:
        ValueError: no training rows.
    """
    some = [training[index] for index in chosen(len(training), _TRAINING_ROWS)]
    scores = _log_odds(model, tokenizer, [*rows, *some], config.data.max_input_tokens, told)
    rankers = {
        "model": _rankings(rows, scores[: len(rows)], some, scores[len(rows) :]),
        "BM25 alone": _rankings(rows, _bm25(rows), training, _bm25(training)),
        "BM25 and kind": _rankings(rows, _bm25_and_kind(rows), training, _bm25_and_kind(training)),
    }
    places = {name: by_place(rankings) for name, rankings in rankers.items()}
    found = {
        name: asdict(figures(rankings))
        | {"accuracy_by_place": {place: figures(group).accuracy for place, group in places[name].items()}}
        | {"threshold": level if (level := rankings[0].none_score) > float("-inf") else None}
        for name, rankings in rankers.items()
    }
    counts = {place: len(group) for place, group in places["model"].items()}
    return Evaluation(1, split, len(rows), found, _tables(found, counts), _examples(rows, rankers))


def _rankings(
    rows: Sequence[Row],
    scores: Sequence[Sequence[float]],
    known: Sequence[Row],
    known_scores: Sequence[Sequence[float]],
) -> list[Ranking]:
    """Rankings of ``rows`` by ``scores``, with "none of these" where it gets most of the ``known`` rows right."""
    level = threshold([row["label"] for row in known], known_scores)
    return [Ranking(row["label"], tuple(one), level) for row, one in zip(rows, scores, strict=True)]


def _bm25(rows: Sequence[Row]) -> list[list[float]]:
    return [row["bm25_scores"] for row in rows]


def _bm25_and_kind(rows: Sequence[Row]) -> list[list[float]]:
    """BM25's scores, less what puts sections of the wrong kind behind all others."""
    return [
        [
            score - _WRONG_KIND * answer.startswith("other ")
            for answer, score in zip(row["answers"], row["bm25_scores"], strict=True)
        ]
        for row in rows
    ]


def _log_odds(
    model: EncoderDecoder, tokenizer: Tokenizer, rows: Sequence[Row], max_input_tokens: int, told: Told
) -> list[tuple[float, ...]]:
    scores: list[tuple[float, ...]] = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        inputs, answers = [row["input"] for row in batch], [row["answers"] for row in batch]
        scores += log_odds(model, tokenizer, inputs, answers, max_input_tokens)
        if start // _BATCH % 10 == 9 or len(scores) == len(rows):
            told(f"ranked {len(scores)} of {len(rows)} rows, training rows among them")
    return scores


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
