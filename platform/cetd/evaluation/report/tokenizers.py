"""The page of a tokenizer job: compression by vocabulary, the table, and a piece of held-out code as each cuts it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from cetd import durable
from cetd.evaluation.compression import Measured
from cetd.evaluation.report.charts import Series, line_chart
from cetd.evaluation.report.layout import cards, section, tile
from cetd.evaluation.report.markup import Html, element
from cetd.evaluation.report.page import document

_COLOURS = {"bpe": "--s1", "unigram": "--s2", "baseline": "--s3"}
_ALTERNATING = ("--s1", "--s2", "--s3", "--s4")


@dataclass(frozen=True)
class Cut:
    """An excerpt as a tokenizer cuts it: its tokens' ids, and the bytes that each spells."""

    name: str
    tokens: Sequence[tuple[int, bytes]]


def write_tokenizer_report(
    run_folder: Path,
    summary: Mapping[str, Any],
    measured: Sequence[Measured],
    shares: Mapping[str, float],
    cuts: Sequence[Cut],
) -> Path:
    """Write ``report.html`` into the run's folder; returns its path.

    ``shares``: by tokenizer, the part of the model's parameters that its embedding would have.

    Raises:
        OSError: the page cannot be written.
    """
    name = run_folder.name
    baseline = next(row for row in measured if row.kind == "baseline")
    held_out = summary["validation"]
    told = f"Measured on {held_out['documents']:,} held-out documents, {held_out['bytes']:,} bytes of UTF-8."
    header = element("header", element("h1", name), element("p", f"Tokenizers. {told}"), _glance(measured, baseline))
    charts = [_chart("Bytes per token", measured, baseline, "bytes_per_token", "More is better. " + told)]
    charts.append(_chart("Tokens per line", measured, baseline, "tokens_per_line", "Fewer is better."))
    table = element("div", element("div", _table(measured, shares, summary["model"]), class_="scroll"), class_="card")
    page = document(
        f"{name}: tokenizers",
        header,
        element(
            "main",
            section("Compression", cards(*charts)),
            section("Each tokenizer", table),
            section("How held-out code is cut", *(_sample(cut) for cut in cuts)),
        ),
        _footer(summary),
    )
    path = run_folder / "report.html"
    durable.write_text(path, f"<!doctype html>\n{page}\n")
    return path


def _glance(measured: Sequence[Measured], baseline: Measured) -> Html:
    best = max((row for row in measured if row is not baseline), key=lambda row: row.bytes_per_token)
    gain = best.bytes_per_token / baseline.bytes_per_token - 1
    return element(
        "div",
        tile("Bytes per token", f"{best.bytes_per_token:.3f}", f"{best.name}, the best of those learned here"),
        tile(
            "General-purpose",
            f"{baseline.bytes_per_token:.3f}",
            f"Mistral's {baseline.name}, {baseline.vocab_size:,} entries",
        ),
        tile("Gain", f"{gain:+.1%}", f"with {best.vocab_size / baseline.vocab_size:.0%} of the vocabulary"),
        class_="tiles",
    )


def _chart(title: str, measured: Sequence[Measured], baseline: Measured, figure: str, note: str) -> Html:
    """The figure over the vocabulary; the baseline's, whose vocabulary is another, as a level."""
    sizes = [row.vocab_size / 1000 for row in measured if row is not baseline]
    series = []
    for kind in dict.fromkeys(row.kind for row in measured if row is not baseline):
        points = sorted((row.vocab_size / 1000, getattr(row, figure)) for row in measured if row.kind == kind)
        series.append(Series(kind, _COLOURS[kind], points, marks=len(points) == 1, smooth=False))
    level = getattr(baseline, figure)
    ends = sorted({min(sizes), max(sizes)})
    name = f"{baseline.name}, {baseline.vocab_size:,} entries"
    series.append(Series(name, _COLOURS["baseline"], [(x, level) for x in ends], marks=len(ends) == 1, smooth=False))
    lowest = min(getattr(row, figure) for row in measured)
    return line_chart(title, series, note, bounds=(lowest, lowest), across="entries of the vocabulary, thousands")


def _table(measured: Sequence[Measured], shares: Mapping[str, float], model: str) -> Html:
    names = ("asked", "entries", "bytes/token", "tokens/line", "tokens", f"embedding of {model}", "learned in")
    heads = [element("th", ""), *(element("th", name, class_="n") for name in names)]
    rows = []
    for row in measured:
        cells = (
            f"{row.asked:,}" if row.asked else "–",
            f"{row.vocab_size:,}",
            f"{row.bytes_per_token:.3f}",
            f"{row.tokens_per_line:.2f}",
            f"{row.tokens:,}",
            f"{shares[row.name]:.1%}",
            "–" if row.seconds is None else f"{row.seconds:.1f} s",
        )
        figures = (element("td", cell, class_="n") for cell in cells)
        rows.append(element("tr", element("th", row.name, scope="row"), *figures))
    return element("table", element("tr", *heads), *rows)


def _sample(cut: Cut) -> Html:
    spans = [
        element("span", data.decode("utf-8", "backslashreplace"), title=f"{number}", style=f"--c: var({colour})")
        for (number, data), colour in zip(cut.tokens, cycle(_ALTERNATING), strict=False)
    ]
    title = element("h3", f"{cut.name}: {len(cut.tokens):,} tokens")
    return element("figure", title, element("pre", *spans, class_="code cut"), class_="card app")


def _footer(summary: Mapping[str, Any]) -> Html:
    made = json.dumps({key: summary[key] for key in ("train", "revision", "versions", "hardware")}, indent=2)
    return element(
        "footer", element("details", element("summary", "Learned from, code, versions, hardware"), element("pre", made))
    )
