"""python -m jobs.models register RUN [--model cetd] [--promote]
python -m jobs.models list | show NUMBER | verify NUMBER
python -m jobs.models promote NUMBER [--url http://127.0.0.1:8000]
python -m jobs.models rollback [--url http://127.0.0.1:8000]

The model registry: versions of a model with where they come from, and which of them is served. What is served follows
the live version by itself; with --url the command waits until it does. Where API keys are asked for, CETD_API_KEY holds
one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from cetd.config.loading import read
from cetd.registry import Registry, RegistryError, Version
from cetd.run_folder import RunFolder, runs_root
from jobs.command_line import one_line_errors
from jobs.gate import judge

# Answers in a row that have to agree: each may come from another replica.
AGREEING = 5
_POLL_S = 0.2
# What of a run's summary says how good its model is and what made it.
_FIGURES = ("phase", "status", "heldout_reward", "pass_rate", "best_loss", "seed", "revision", "versions", "hardware")


def main(argv: list[str] | None = None) -> None:
    arguments = _arguments(argv)
    registry, model = Registry(runs_root(arguments.runs) / "registry"), arguments.model
    with one_line_errors():
        match arguments.command:
            case "register":
                version = register(registry, model, arguments.run)
                print(f"{version.label}: {version.folder}")
                if arguments.promote:
                    _live(registry.promote(model, version.number), arguments)
            case "list":
                show_all(registry, model, arguments.json)
            case "show":
                version = registry.version(model, arguments.number)
                print(json.dumps({"label": version.label, **_told(version)}, indent=1))
            case "verify":
                print(f"{registry.verify(registry.version(model, arguments.number))}: every file is as registered")
            case "promote":
                _live(registry.promote(model, arguments.number), arguments)
            case "rollback":
                _live(registry.rollback(model), arguments)


def register(registry: Registry, model: str, run: Path, told: Mapping[str, Any] | None = None) -> Version:
    """Register the model that a run has made, or that of a folder; ``told`` takes the place of parts of its lineage.

    Raises:
        ValueError: there is no model, or it is a version already.
    """
    path = run.absolute()
    folder = RunFolder(path.parent, path.name)
    made = _made(folder) if folder.exists else path
    live = registry.live(model)
    found = lineage(folder) if folder.exists else {}
    parent = live.label if live else None
    return registry.register(model, made, {**found, "folder": str(made), "parent": parent, **(told or {})})


def lineage(run: RunFolder) -> dict[str, Any]:
    """Where a run's model comes from: its configuration, figures, rollouts, data and what its gate decided."""
    config = read(run.config)
    summary = _summary(run)
    rollouts = sorted((run.path / "rollouts").glob("*.parquet"))
    told: dict[str, Any] = {
        "run": str(run.path),
        "config_sha256": _sha256(run.config),
        "summary": {name: summary[name] for name in _FIGURES if name in summary},
        "gate": _gate(run.path),
    }
    if rollouts:
        told["rollouts"] = {"files": len(rollouts), "sha256": _digest(rollouts)}
    if manifest := _data_manifest(config):
        told["data"] = {"manifest": str(manifest), "sha256": _sha256(manifest)}
    return told


def show_all(registry: Registry, model: str, as_json: bool) -> None:
    """Print a model's versions, the newest last."""
    versions, live = registry.versions(model), registry.live(model)
    if as_json:
        shown = [{"live": live == version, "label": version.label, **_told(version)} for version in versions]
        print(json.dumps(shown, indent=1))
        return
    if not versions:
        print(f"no versions of {model}; register one: python -m jobs.models register runs/demo")
        return
    table = Table(title=f"Versions of {model}", title_justify="left")
    for column in ("version", "live", "registered", "from", "pass rate", "gate", "MB"):
        table.add_column(column)
    for version in versions:
        told = version.lineage
        gate = told.get("gate", {})
        rate = f"{gate['pass_rate']:.1%}" if "pass_rate" in gate else ""
        origin = Path(told.get("run") or told.get("folder") or "").name
        mark = "live" if live == version else ""
        size = f"{sum(path.stat().st_size for path in version.folder.glob('*')) / 1e6:,.1f}"
        table.add_row(version.label, mark, version.created, origin, rate, gate.get("decision", "not decided"), size)
    Console().print(table)


def wait_until_served(url: str, label: str, timeout_s: float) -> float:
    """Seconds until every replica behind ``url`` answers with that version.

    Raises:
        ValueError: they do not within the time; what was answered last is told.
    """
    import httpx

    key = os.environ.get("CETD_API_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    began, agreeing, last = time.monotonic(), 0, "nothing"
    while agreeing < AGREEING:
        remaining = began + timeout_s - time.monotonic()
        if remaining <= 0:
            raise ValueError(
                f"url={url}: not served after {timeout_s:g} s: the last answer was {last}; the log of the model's "
                "replicas says why"
            )
        try:
            answer = httpx.get(f"{url.rstrip('/')}/ready", headers=headers, timeout=remaining)
            last = " ".join(answer.text.split())[:200]
            served = answer.status_code == 200 and answer.json()["model_version"] == label
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            last, served = " ".join(f"{type(error).__name__}: {error}".split()), False
        agreeing = agreeing + 1 if served else 0
        if not served:
            time.sleep(_POLL_S)
    return time.monotonic() - began


def _live(version: Version, arguments: argparse.Namespace) -> None:
    print(f"{version.label} is live")
    if arguments.url:
        seconds = wait_until_served(arguments.url, version.label, arguments.timeout)
        print(f"{arguments.url} serves it after {seconds:.1f} s")


def _made(run: RunFolder) -> Path:
    """The model that a run ended with, or the newest checkpoint of a feedback run."""
    if (run.path / "model").is_dir():
        return run.path / "model"
    from cetd.training.checkpoint import latest

    checkpoint = latest(run.checkpoints)
    if checkpoint is None:
        raise RegistryError(f"run={run.path}: neither model/ nor a checkpoint there yet; let the run go on first")
    return checkpoint


def _summary(run: RunFolder) -> dict[str, Any]:
    """What a run has told of itself; nothing before it has ended."""
    try:
        return dict(run.read_json(run.summary)) if run.summary.exists() else {}
    except (ValueError, TypeError) as error:
        raise RegistryError(f"{run.summary}: cannot be read: {error}") from None


def _gate(run: Path) -> dict[str, Any]:
    try:
        verdict = judge(run)
    except ValueError as error:
        return {"undecided": str(error)}
    return {"decision": str(verdict["decision"]), **{name: verdict[name] for name in ("phase", "pass_rate")}}


def _data_manifest(config: dict[str, Any]) -> Path | None:
    """The manifest of the data job whose rows a run was trained on."""
    data = config.get("data") or {}
    for name in ("train", "packed"):
        place = Path(data[name]).absolute() if data.get(name) else None
        for folder in place.parents if place else ():
            if (folder / "manifest.json").is_file():
                return folder / "manifest.json"
    return None


def _told(version: Version) -> dict[str, Any]:
    return {"created": version.created, "lineage": version.lineage, "files": version.files}


def _digest(files: list[Path]) -> str:
    """As ``sha256sum FILES | sha256sum`` in their folder."""
    listing = "".join(f"{_sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _address(text: str) -> str:
    """A URL that can be asked, before anything is promoted."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r}: expected http://HOST:PORT")
    return text


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--model", default="cetd", help="name in the registry (default: cetd)")
    shared.add_argument("--runs", type=Path, help="folder of all runs (default: CETD_RUNS, else runs/)")
    serving = argparse.ArgumentParser(add_help=False)
    serving.add_argument("--url", type=_address, help="where the model is served: wait until it serves the version")
    serving.add_argument("--timeout", type=float, default=60.0, metavar="S", help="how long to wait (default: 60)")
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("register", parents=[shared, serving], help="make a version of a run's model")
    adding.add_argument("run", type=Path, help="run folder, such as runs/demo, or a model's folder")
    adding.add_argument("--promote", action="store_true", help="make it the live one, too")
    listing = commands.add_parser("list", parents=[shared], help="the versions")
    listing.add_argument("--json", action="store_true", help="print JSON, with lineage and digests")
    for name, said in (("show", "a version's lineage and digests"), ("verify", "compare a version with its digests")):
        commands.add_parser(name, parents=[shared], help=said).add_argument("number", type=int, help="the version")
    promoting = commands.add_parser("promote", parents=[shared, serving], help="make a version the live one")
    promoting.add_argument("number", type=int, help="the version")
    commands.add_parser("rollback", parents=[shared, serving], help="go back to the version that was live before")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
