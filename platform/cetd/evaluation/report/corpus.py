"""The page of a corpus: what every stage kept and dropped, what it is made of, and a few of its examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cetd import durable
from cetd.evaluation.report.charts import bar
from cetd.evaluation.report.layout import cards, section, tile
from cetd.evaluation.report.markup import Html, cut, element
from cetd.evaluation.report.page import document

_MOST_BARS = 10
_SHOWN = 2
_CHARS = 2500
_SPLITS = ("train", "validation")


def write_corpus_report(run_folder: Path) -> Path:
    """Write ``report.html`` into a corpus' folder from its manifest and files; returns its path.

    Raises:
        OSError: the page cannot be written.
    """
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    name = manifest["run"]
    header = element("header", element("h1", name), element("p", "Training data"), _glance(manifest))
    main = element(
        "main",
        section("What became of the files", cards(*[_stage(stage) for stage in manifest["stages"]])),
        section(
            "What is left",
            cards(
                _bars("Languages", manifest["languages"], "documents"),
                _bars("Licences", manifest["licences"], "documents; as files and repositories say"),
                _splits(manifest),
                small=True,
            ),
        ),
        _examples(run_folder, "phase1", "Phase 1: which section does the requirement speak of?"),
        _examples(run_folder, "phase2", "Phase 2: poor context to requirements"),
    )
    made = json.dumps({"configuration": manifest["configuration"], "provenance": manifest["provenance"]}, indent=2)
    footer = element("footer", element("details", element("summary", "Configuration and code"), element("pre", made)))
    path = run_folder / "report.html"
    durable.write_text(path, f"<!doctype html>\n{document(f'{name}: training data', header, main, footer)}\n")
    return path


def _glance(manifest: Mapping[str, Any]) -> Html:
    first = manifest["stages"][0]
    documents = sum(manifest["documents"].values())
    tokens = sum(split.get("tokens", 0) for split in manifest["packed"].values())
    rows = {kind: sum(split["rows"] for split in manifest[kind].values()) for kind in ("packed", "phase1", "phase2")}
    repositories = sum(manifest["repositories"].values())
    return element(
        "div",
        tile("Documents", f"{documents:,}", f"of {first['documents_in']:,} in {repositories:,} repositories"),
        tile("Tokens", f"{tokens:,}", f"in {rows['packed']:,} rows"),
        tile("Phase 1", f"{rows['phase1']:,}", "examples"),
        tile("Phase 2", f"{rows['phase2']:,}", "examples"),
        class_="tiles",
    )


def _stage(stage: Mapping[str, Any]) -> Html:
    """A stage as bars: what went on, and the reasons why the rest did not."""
    came = max(1, stage["documents_in"])
    bars = [bar("kept", f"{stage['documents_out']:,}", stage["documents_out"] / came, strong=True)]
    own = f"{stage['name']}: "  # reasons that begin with their stage
    bars += [bar(name.removeprefix(own), f"{count:,}", count / came) for name, count in _largest(stage["dropped"])]
    noted = ", ".join(f"{name} {count:,}" for name, count in _largest(stage["noted"]))
    caption = element("figcaption", f"Noted of what stays: {noted}.") if noted else None
    title = f"{stage['name'].capitalize()}: {stage['bytes_out'] / 1e6:,.1f} MB"
    return element("figure", element("h3", title), *bars, caption, class_="card")


def _bars(title: str, counts: Mapping[str, int], note: str) -> Html:
    most = max(counts.values(), default=1)
    bars = [bar(name, f"{count:,}", count / most) for name, count in _largest(counts)]
    return element("figure", element("h3", title), *bars, element("figcaption", note), class_="card")


def _splits(manifest: Mapping[str, Any]) -> Html:
    names = ("documents", "repositories", "packed", "phase1", "phase2")
    heading = element("tr", element("th", ""), element("th", "train"), element("th", "validation"))
    rows = [
        element("tr", element("td", name), *(element("td", f"{_count(manifest[name][split]):,}") for split in _SPLITS))
        for name in names
    ]
    return element("figure", element("h3", "Split by repository"), element("table", heading, *rows), class_="card")


def _count(value: int | Mapping[str, int]) -> int:
    return value if isinstance(value, int) else value["rows"]


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest counts, and the sum of all others."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[_MOST_BARS:])
    return ordered[:_MOST_BARS] + ([("others", rest)] if rest else [])


def _examples(run_folder: Path, kind: str, title: str) -> Html | None:
    files = sorted((run_folder / kind / "train").glob("*.parquet"))
    if not files:
        return None
    # From the middle of the first file: its beginning is often one module's.
    rows = pq.read_table(files[0], columns=["input", "target", "repository", "symbol"])
    places = [rows.num_rows * (number + 1) // (_SHOWN + 1) for number in range(min(_SHOWN, rows.num_rows))]
    return section(title, *[_example(rows.slice(place, 1).to_pylist()[0]) for place in places])


def _example(row: Mapping[str, str]) -> Html:
    def text(name: str) -> Html:
        shown = element("pre", cut(row[name], _CHARS), class_="code")
        return element("figure", element("h3", name.capitalize()), shown, class_="card")

    where = element("summary", f"{row['repository']}: {row['symbol']}")
    return element("details", where, cards(text("input"), text("target")), open=True)
