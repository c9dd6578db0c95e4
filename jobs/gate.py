"""python -m jobs.gate RUN [--phase N] [--json]

The gate behind a phase: reads the summary of a run, such as runs/demo, and prints what its pass rate on held-out apps
decides, and the command that carries it out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from shlex import quote
from typing import Any

from cetd.config.loading import read
from cetd.evaluation.gates import Decision, gate_after, gate_pass_rate
from cetd.run_folder import RunFolder, RunFolderError
from jobs.command_line import one_line_errors

# Of a run whose configuration names none.
FEEDBACK_PHASE = 3
PRESETS = {
    Decision.SCALE_TO_3B: "cetd-3b",
    Decision.SCALE_TO_5B: "cetd-5b",
    Decision.SCALING_IS_OPTIONAL: "cetd-5b",
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder, such as runs/demo")
    parser.add_argument("--phase", type=int, help="phase that the run ended (default: the run's own; of feedback: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    with one_line_errors():
        verdict = judge(arguments.run, arguments.phase)
    if arguments.json:
        print(json.dumps(verdict, indent=2))
        return
    print(f"{verdict['decision']}: pass rate {verdict['pass_rate']:.1%} after phase {verdict['phase']}")
    print(f"below {verdict['low']:.0%}: {verdict['below']}; above {verdict['high']:.0%}: {verdict['above']}")
    print(f"next: {verdict['next']}")


def judge(run: Path, phase: int | None = None) -> dict[str, Any]:
    """The decision on a run, the figure and thresholds behind it (0 to 1), and the next command.

    Raises:
        ValueError: no run there, no summary with figures, or no gate behind the phase.
    """
    path = run.absolute()
    folder = RunFolder(path.parent, path.name)
    if not folder.exists:
        raise RunFolderError(f"run={run}: no run there; name a run folder, such as runs/demo")
    config = read(folder.config)
    if phase is None:
        phase = int(config.get("phase", FEEDBACK_PHASE))
    gate, summary = gate_after(phase), _summary(folder)
    if "pass_rate" not in summary and (folder.path / "model").is_dir():
        raise RunFolderError(_unmeasured(folder, phase))
    figure = gate_pass_rate(summary)
    decision = gate.decide(figure)
    folder, config = _trained(folder, config)
    return {
        "phase": phase,
        "decision": decision,
        "pass_rate": figure,
        "low": gate.low,
        "high": gate.high,
        "below": gate.below,
        "between": gate.between,
        "above": gate.above,
        "next": _next_command(decision, folder, config),
    }


def _unmeasured(folder: RunFolder, phase: int) -> str:
    """What to do where training has left a model and nothing has tried its requirements yet."""
    measured = f"{folder.path.name}-measured"
    measure = (
        f"python -m jobs.feedback --config configs/feedback/demo.yaml policy.path={quote(str(folder.path / 'model'))} "
        f"loop.iterations=0 run.root={quote(str(folder.path.parent))} run.name={measured}"
    )
    decide = f"python -m jobs.gate {quote(str(folder.path.parent / measured))} --phase {phase}"
    return f"run={folder.path}: training measures no pass rate. Measure it with your apps: {measure}; then: {decide}"


def _trained(folder: RunFolder, config: dict[str, Any]) -> tuple[RunFolder, dict[str, Any]]:
    """The training run whose model a feedback run without updates has measured; other runs as they are."""
    model = (config.get("policy") or {}).get("path")
    if config.get("loop", {}).get("iterations") != 0 or not model:
        return folder, config
    path = Path(model).absolute().parent
    trained = RunFolder(path.parent, path.name)
    return (trained, read(trained.config)) if trained.exists and trained.config.exists() else (folder, config)


def _summary(folder: RunFolder) -> dict[str, Any]:
    try:
        summary = folder.read_json(folder.summary)
    except FileNotFoundError:
        raise RunFolderError(f"{folder.summary}: not there yet; the run writes it when it ends") from None
    except ValueError as error:
        raise RunFolderError(f"{folder.summary}: cannot be read: {error}") from None
    if not isinstance(summary, dict):
        raise RunFolderError(f"{folder.summary}: expected an object, got {type(summary).__name__}")
    return summary


def _model(folder: RunFolder) -> Path:
    """What the run has made: the model that it ended with, or the newest checkpoint of a feedback run."""
    if (folder.path / "model").is_dir():
        return folder.path / "model"
    # Imports torch, which the other decisions need not wait for.
    from cetd.training.checkpoint import latest

    return latest(folder.checkpoints) or folder.checkpoints


def _next_command(decision: Decision, folder: RunFolder, config: dict[str, Any]) -> str:
    """Grow the newest checkpoint, go on with the same run, or run again once the data has changed."""
    if decision in PRESETS:
        return f"python -m jobs.grow --from {quote(str(_model(folder)))} --to {PRESETS[decision]}"
    feedback = "loop" in config
    if decision is Decision.STAY and feedback:
        change = f"loop.iterations={2 * config['loop']['iterations']}"
    else:
        change = f"run.name={folder.path.name}-again"
    command = f"python -m jobs.{'feedback' if feedback else 'train'} --config {quote(str(folder.config))}"
    return f"{command} {quote(f'run.root={folder.path.parent}')} {quote(change)}"


if __name__ == "__main__":
    main()
