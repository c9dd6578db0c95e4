"""python -m jobs.replay RUN [--most N]

Runs the programs stored in a run's rollouts against their apps' tests once more, in the sandbox, and compares the
outcomes with those on record. RUN is a run folder, such as runs/demo. Exit status 1 where an outcome differs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cetd.config import FeedbackJobConfig, load
from cetd.data.app import App
from cetd.data.apps import load_apps
from cetd.evaluation.record import stored_rollouts
from cetd.feedback.rollout import Reconstruction
from cetd.run_folder import RunFolder, RunFolderError
from cetd.sandbox.admission import measured
from cetd.sandbox.outcome import Outcome, Scored, Unscored
from cetd.sandbox.sandbox import Sandbox
from jobs.command_line import one_line_errors

DIFFERENT = 1


@dataclass(frozen=True)
class Stored:
    """A reconstruction on record, and the app that it was tested by."""

    app: App
    reconstruction: Reconstruction


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder, such as runs/demo")
    parser.add_argument("--most", type=int, default=0, help="replay the first N distinct programs only; 0: all")
    arguments = parser.parse_intermixed_args(argv)
    with one_line_errors():
        different = replay(arguments.run, arguments.most)
    if different:
        raise SystemExit(DIFFERENT)


def replay(run: Path, most: int = 0) -> int:
    """Run the distinct programs of a run again and print every difference; returns how many there are."""
    folder = RunFolder(run.absolute().parent, run.name)
    if not folder.exists:
        raise RunFolderError(f"run={run}: no run there; name a run folder, such as runs/demo")
    config = load(FeedbackJobConfig, folder.config)
    distinct = {(s.app.app_id, s.reconstruction.program): s for s in _stored(folder, config)}
    chosen = list(distinct.values())[: most or None]
    print(f"{run}: {len(chosen)} distinct programs of {len(distinct)}")
    different = 0
    requirements = sorted({name for stored in chosen for name in stored.app.requirements})
    with Sandbox(config.sandbox, requirements) as sandbox, ThreadPoolExecutor(config.sandbox.slots) as slots:

        def again(stored: Stored) -> Outcome:
            program = {f"{stored.app.interface.module}.py": stored.reconstruction.program}
            return sandbox.run(program, stored.app.suite, timeout_s=stored.app.timeout_s)

        for stored, outcome in zip(chosen, slots.map(again, chosen), strict=True):
            if _essence(outcome) != _essence(stored.reconstruction.outcome):
                different += 1
                one = stored.reconstruction
                print(f"{stored.app.app_id} {one.llm}: on record {one.outcome}, now {outcome}")
    print(f"{different} of {len(chosen)} differ from the record")
    return different


def _stored(folder: RunFolder, config: FeedbackJobConfig) -> Iterator[Stored]:
    apps = load_apps(config.apps)
    admitted = measured((*apps.train, *apps.heldout), folder.read_json(folder.admission))
    by_id = {app.app_id: app for app in admitted}
    for rollouts in stored_rollouts(folder.path):
        for rollout in rollouts:
            for reconstruction in rollout.reconstructions:
                if not isinstance(reconstruction.outcome, Unscored):
                    yield Stored(by_id[rollout.sample.app_id], reconstruction)


def _essence(outcome: Outcome) -> tuple[object, ...]:
    """What must not differ: everything but seconds and messages."""
    match outcome:
        case Scored(passed, total):
            return "scored", passed, total, tuple((test.test_id, test.outcome) for test in outcome.tests)
        case _:
            return (type(outcome).__name__,)


if __name__ == "__main__":
    main()
