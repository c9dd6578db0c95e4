"""The page around the sections, and the file that it is written to."""

from __future__ import annotations

import json
from pathlib import Path

from cetd import durable
from cetd.evaluation.report import apps, sections
from cetd.evaluation.report.markup import Html, element, trusted
from cetd.evaluation.report.run import Run, read_run

# Nothing is fetched and nothing is run, whatever the page should come to hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` into the run folder from what is there; returns its path.

    Raises:
        ValueError: there is no such folder, or a file in it cannot be understood.
        OSError: the page cannot be written.
    """
    path = run_folder / "report.html"
    durable.write_text(path, f"<!doctype html>\n{page(read_run(run_folder))}\n")
    return path


def page(run: Run) -> Html:
    """The whole document."""
    parts = [sections.learning(run), sections.heldout(run), sections.loop(run), sections.requirements(run)]
    return document(
        f"{run.name}: feedback run",
        element("header", element("h1", run.name), element("p", _subtitle(run)), _banner(run), sections.glance(run)),
        element("main", *parts, apps.examples(run), apps.quarantined(run)),
        _made_with(run),
    )


def document(title: str, *body: Html) -> Html:
    """A self-contained page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", trusted(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))),
    )
    return element("html", head, element("body", *body), lang="en")


def _subtitle(run: Run) -> str:
    seed = run.summary.get("seed", (run.config.get("run") or {}).get("seed"))
    parts = ["Interactive feedback", f"seed {seed}" if seed is not None else "", ", ".join(run.llms)]
    return " · ".join(part for part in parts if part)


def _banner(run: Run) -> Html | None:
    told = []
    if not run.finished:
        told.append("Not finished: the run goes on or was interrupted; this is how far it came.")
    if (run.config.get("feedback") or {}).get("shuffle_rewards") or run.summary.get("shuffle_rewards"):
        told.append("Control run: rewards were shuffled over the batch, so nothing should be learned.")
    return element("p", " ".join(told), class_="banner") if told else None


def _made_with(run: Run) -> Html:
    made = {name: run.summary[name] for name in ("revision", "versions", "hardware") if run.summary.get(name)}
    config = element("details", element("summary", "Configuration"), element("pre", run.config_text, class_="code"))
    told = element("details", element("summary", "Code, versions and hardware"), element("pre", _lines(made)))
    return element("footer", config if run.config_text else None, told if made else None)


def _lines(made: dict) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False)
