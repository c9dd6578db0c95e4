"""What recorded requests teach: those with a good verdict that no retraining has used, as pairs for phase 4.

Requests are used once, whatever becomes of the candidate: tried again and again, some candidate would pass its gate by
luck. Which were used stands beside the records, one line per decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cetd import durable
from cetd.config.retrain import ExamplesConfig
from cetd.serving.records import Served, Verdict, examples

USED_FILE = "used.jsonl"

# (input, target)
Pair = tuple[str, str]


class TooFewError(ValueError):
    """There are not enough new examples to learn from."""


@dataclass(frozen=True)
class Lessons:
    """New examples: the ids of the requests to learn from and their pairs, oldest first; how many were left out."""

    request_ids: tuple[str, ...]
    pairs: tuple[Pair, ...]
    not_good: int
    waiting: int

    def split(self, every: int) -> tuple[list[Pair], list[Pair]]:
        """Pairs to learn from, and one in ``every`` to validate on."""
        kept = self.pairs[every - 1 :: every]
        return [pair for index, pair in enumerate(self.pairs) if index % every != every - 1], list(kept)


def new_lessons(folder: Path, model: str, config: ExamplesConfig) -> Lessons:
    """The new examples in ``folder`` that ``model`` has not been trained on: one for each source, the newest.

    Raises:
        TooFewError: fewer than ``config.at_least``.
        ValueError: a segment, or the list of what was used, cannot be read.
    """
    used = _used(folder, model)
    new = [(served, verdict) for served, verdict in examples(folder) if served.request_id not in used]
    by_source: dict[str, list[Served]] = {}
    good = 0
    for served, verdict in new:
        if _is_good(verdict, config.min_rating) and served.requirements.strip():
            by_source.setdefault(served.source, []).append(served)
            good += 1
    if len(by_source) < config.at_least:
        raise TooFewError(
            f"examples.at_least={config.at_least}: {folder} has new requests with a good verdict on {len(by_source)} "
            f"sources ({len(new) - good} verdicts were not good, {len(used)} requests were used before); wait for more,"
            " or lower it"
        )
    taken = list(by_source.values())[: config.at_most]
    return Lessons(
        tuple(served.request_id for of_source in taken for served in of_source),
        tuple((of_source[-1].source, of_source[-1].requirements) for of_source in taken),
        not_good=len(new) - good,
        waiting=len(by_source) - len(taken),
    )


def mark_used(folder: Path, model: str, run: str, request_ids: Iterable[str]) -> None:
    """Remember that a candidate was trained on these, and judged.

    Raises:
        OSError: the disk is full; nothing is remembered.
    """
    path = folder / USED_FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    line = json.dumps({"model": model, "run": run, "request_ids": list(request_ids)})
    durable.write_text(path, f"{before}{line}\n")


def _used(folder: Path, model: str) -> set[str]:
    path = folder / USED_FILE
    if not path.exists():
        return set()
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {one for line in lines if line["model"] == model for one in line["request_ids"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}): restore it, or remove it to use all examples again"
        ) from None


def _is_good(verdict: Verdict, min_rating: int) -> bool:
    """What passed, or was rated well; a test that failed outweighs any rating."""
    if verdict.passed is not None:
        return verdict.passed
    return verdict.rating is not None and verdict.rating >= min_rating
