"""python -m jobs.data --config configs/data/stdlib.yaml [section.field=value …]

Real code becomes training data: clean documents, rows of tokens for language models, and the examples of phases 1 and
2, as Parquet in runs/<name>/ with a manifest and a report. Runs on local Ray, or on the cluster it is submitted to with
`ray job submit --working-dir . -- python -m jobs.data --config …`. The same run.name resumes where it stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cetd.config.data import DataJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs import ROOT
from jobs.command_line import add_run_arguments, begin, log_to_terminal, one_line_errors, parse

if TYPE_CHECKING:
    from cetd.data.corpus.manifest import Begun

log = logging.getLogger("data")

# Seconds between lines of progress.
LINE_EVERY_S = 5.0


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(DataJobConfig, __doc__ or "", argv, add_run_arguments)
    log_to_terminal()
    with one_line_errors(), RunFolder(runs_root(config.run.root), config.run.name) as folder:
        show(make(config, folder, lambda: begin(folder, config, arguments)))
        print(f"manifest: {folder.path / 'manifest.json'}\nreport: {folder.path / 'report.html'}")


def make(config: DataJobConfig, folder: RunFolder, adopt: Callable[[], None]) -> dict[str, Any]:
    """Make the corpus in ``folder``, or what is missing of it; returns its manifest.

    Args:
        adopt: makes the folder the run of ``config``, once its sources are known to be there.

    Raises:
        ValueError: sources or configuration cannot be used; the line says why.
    """
    # After the configuration is known to be good.
    from cetd.data.corpus import manifest, sources
    from cetd.data.corpus.languages import check_languages
    from cetd.data.corpus.layout import CorpusFolder

    check_languages(config.cleaning.languages)
    pieces = sources.listing(config)
    adopt()
    corpus = CorpusFolder(folder.path)
    begun = manifest.begin(config, corpus, pieces)
    finished = manifest.read_manifest(corpus)
    if finished:
        log.info("%s has ended before; --restart makes it anew", folder.path)
    return finished or _run(config, folder, begun)


def _run(config: DataJobConfig, folder: RunFolder, begun: Begun) -> dict[str, Any]:
    """On Ray: the corpus, its report and its summary."""
    from actors.cluster import connected
    from actors.corpus import build, peak_mib
    from cetd.data.corpus.layout import peak_mib as driver_peak_mib
    from cetd.evaluation.report import write_corpus_report

    started = time.monotonic()
    with connected(config.parallel.cpus * (config.parallel.tasks or 1), 0, ROOT):
        manifest = build(config, folder.path, begun, Progress())
    peaks = {"driver": driver_peak_mib(), **peak_mib(folder.path)}
    folder.write_json(folder.summary, {"wall_s": time.monotonic() - started, "peak_mib": peaks})
    write_corpus_report(folder.path)
    return manifest


class Progress:
    """Prints a line now and then, and at the end of each step."""

    def __init__(self) -> None:
        self._next_line = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        if time.monotonic() >= self._next_line or done == total:
            self._next_line = time.monotonic() + LINE_EVERY_S
            log.info("%s: %d of %d shards", step, done, total)


def show(manifest: Mapping[str, Any]) -> None:
    """The stages as a table, and what was made."""
    table = Table("stage", "documents in", "out", "MB", "dropped, by reason", box=None, header_style="bold")
    for stage in manifest["stages"]:
        reasons = sorted(stage["dropped"].items(), key=lambda item: -item[1])
        own = f"{stage['name']}: "  # reasons that begin with their stage
        told = ", ".join(f"{number:,} {reason.removeprefix(own)}" for reason, number in reasons[:5])
        more = f", {sum(number for _, number in reasons[5:]):,} others" if len(reasons) > 5 else ""
        counts = [f"{stage[name]:,}" for name in ("documents_in", "documents_out")]
        table.add_row(stage["name"], *counts, f"{stage['bytes_out'] / 1e6:.1f}", told + more)
    console = Console()
    console.print(table)
    for split in ("train", "validation"):
        packed = manifest["packed"][split]
        console.print(
            f"{split}: {manifest['documents'][split]:,} documents of {manifest['repositories'][split]:,} repositories; "
            f"packed: {packed['rows']:,} rows, {packed.get('tokens', 0):,} tokens; "
            f"phase 1: {manifest['phase1'][split]['rows']:,}, phase 2: {manifest['phase2'][split]['rows']:,} examples",
            highlight=False,
        )


if __name__ == "__main__":
    main()
