"""Makes a corpus on Ray: Ray Data takes the steps of :mod:`cetd.data.corpus` to the shards and streams their ends back.

Workers read sources and write results by themselves, so all nodes need both folders, and neither Ray's object store
nor this process ever holds a text. A lost worker's shard is tried again by Ray.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ray.data

from cetd.config.data import DataJobConfig
from cetd.data.corpus import cleaning, examples, selection, tokens
from cetd.data.corpus.layout import CorpusFolder, Report
from cetd.data.corpus.manifest import Begun, tallied, write_manifest
from cetd.data.corpus.tables import TableError

# (step, shards done, shards in all)
Told = Callable[[str, int, int], None]
Argument = TypeVar("Argument")


class CorpusError(ValueError):
    """A corpus that cannot be made; the message is one line for the user."""


def build(config: DataJobConfig, path: Path, begun: Begun, told: Told) -> dict[str, Any]:
    """Make the corpus that was begun in the run folder ``path``, or what is missing of it; returns its manifest.

    Ray is connected.

    Raises:
        CorpusError: a table's row cannot be understood, or no document is left; the line says why.
    """
    folder = CorpusFolder(path)
    shards = begun.shards
    numbers = range(len(shards))

    def spread(step: str, work: Callable[[int, Argument], Report], arguments: Sequence[Argument]) -> list[Report]:
        return _spread(config, folder, step, work, arguments, told)

    cleaned = spread(cleaning.STEP, lambda number, shard: cleaning.clean(config, folder, number, shard), shards)
    _something_left(cleaned)
    chosen = selection.select(config, folder, len(shards))
    split = spread(selection.SPLIT_STEP, lambda number, _: selection.split(folder, number), numbers)
    tokens.make_tokenizer(config.tokens, folder, config.run.seed)
    packed = spread(tokens.STEP, lambda number, _: tokens.pack(config, folder, number), numbers)
    together = examples.parts(dict(enumerate(split)), config.shard_bytes)
    made = spread(examples.STEP, lambda number, part: examples.make_examples(config, folder, number, part), together)
    reports = {"clean": cleaned, "select": [chosen], "split": split, "pack": packed, "examples": made}
    tokens.describe(config, folder, tallied(packed))
    return write_manifest(config, folder, begun, reports)


def peak_mib(path: Path) -> dict[str, float]:
    """The most memory that a worker had at the end of each step's shards, in MiB."""
    folder = CorpusFolder(path)
    peaks: dict[str, float] = {}
    for file in sorted((folder.work / "reports").glob("*/*.json")):
        report = Report.from_json(json.loads(file.read_text(encoding="utf-8")))
        peaks[file.parent.name] = max(peaks.get(file.parent.name, 0.0), report.peak_mib)
    return peaks


def _spread(
    config: DataJobConfig,
    folder: CorpusFolder,
    step: str,
    work: Callable[[int, Argument], Report],
    arguments: Sequence[Argument],
    told: Told,
) -> list[Report]:
    """The step's reports of all shards; those that have one are not touched."""
    missing = [number for number in range(len(arguments)) if folder.read_report(step, number) is None]
    told(step, len(arguments) - len(missing), len(arguments))
    if missing:
        items = [{"number": number, "argument": arguments[number]} for number in missing]
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # it tells of every plan, twice
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map(
            lambda row: {"error": _attempt(work, row["number"], row["argument"])},
            num_cpus=config.parallel.cpus,
            concurrency=config.parallel.tasks,
        )
        for done, row in enumerate(dataset.iter_rows(), start=len(arguments) - len(missing) + 1):
            if row["error"]:
                raise CorpusError(row["error"])
            told(step, done, len(arguments))
    reports = [folder.read_report(step, number) for number in range(len(arguments))]
    return [report for report in reports if report]


def _attempt(work: Callable[[int, Argument], Report], number: int, argument: Argument) -> str:
    """What the user has to mend, as a line: Ray Data keeps of a step's exception its text alone. Bugs are raised."""
    try:
        work(number, argument)
    except OSError as error:
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except TableError as error:
        return str(error)
    return ""


def _something_left(reports: Sequence[Report]) -> None:
    """Refuse a corpus of nothing, and say where it went."""
    if any(report.stages and report.stages[-1].documents_out for report in reports):
        return
    dropped: dict[str, int] = {}
    for report in reports:
        for stage in report.stages:
            for reason, number in stage.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + number
    told = ", ".join(f"{number} {reason}" for reason, number in sorted(dropped.items(), key=lambda item: -item[1]))
    raise CorpusError(f"sources: no document is left of them ({told}); change sources or cleaning, with --restart")
