"""python -m jobs.apps import PATH [-o FOLDER] [--json]
python -m jobs.apps check PATH [--runs 3] [--isolation namespaces] [--json]
python -m jobs.apps show PATH [APP] [--json]
python -m jobs.apps run PATH [APP] --program FILE [--json]
python -m jobs.apps make --package textwrap -o FOLDER [field=value …]
python -m jobs.apps make --config configs/apps/stdlib-40.yaml -o FOLDER [field=value …]

PATH: a folder with an app.yaml, a folder of such folders, a zip file of either, HumanEval or MBPP as JSON Lines
(.jsonl, .jsonl.gz), or the configuration of a feedback job, whose apps are meant (configs/feedback/demo.yaml).

import reads apps, says what is wrong with them, and writes them as app folders. check runs each app's reference in the
sandbox and says which apps are fit for use. show prints what the policy reads, what the reconstruction LLMs are given,
and the tests. run tests a program: a file, or a folder of several. make takes pure functions out of installed packages
and records what they do, as tests that mutants of them fail; run again, it goes on where it was. Exit status 1 where
an app is not fit, or the program fails a test.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, track
from rich.syntax import Syntax
from rich.table import Table

from cetd import config as configuration
from cetd.config import FeedbackJobConfig, RecipeConfig, SandboxConfig
from cetd.data.app import App
from cetd.data.app_files import AppError
from cetd.data.apps import load_apps, read_apps
from cetd.data.folder_apps import write_app
from cetd.sandbox.admission import Admission, admit
from cetd.sandbox.outcome import NAMES, Crashed, Outcome, Scored, Unscored
from cetd.sandbox.sandbox import Sandbox
from jobs.command_line import one_line_errors

if TYPE_CHECKING:
    from cetd.data.recorded.making import Progress as Step

UNFIT = 1
_MOST_REASONS = 12
console, aside = Console(), Console(stderr=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="import | check | show | run | make")
    reading = commands.add_parser("import", help="read and validate apps, and write them as app folders")
    reading.add_argument("-o", "--out", type=Path, help="folder to write app folders into")
    checking = commands.add_parser("check", help="run each app's reference against its tests in the sandbox")
    checking.add_argument("--runs", type=int, default=3, help="times that each reference must pass (3)")
    showing = commands.add_parser("show", help="print an app")
    running = commands.add_parser("run", help="test a program against an app")
    running.add_argument("--program", type=Path, required=True, help="a Python file, or a folder of several")
    making = commands.add_parser(
        "make",
        help="make apps out of installed packages",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="fields (default): "
        + "".join(f"\n  {n} ({d}): {t}" for n, d, t in configuration.describe(RecipeConfig)),
    )
    making.add_argument("--package", help="a module, or a package with the modules below it")
    making.add_argument("--config", type=Path, help="a recipe, such as configs/apps/stdlib-40.yaml")
    making.add_argument("-o", "--out", type=Path, required=True, help="folder to write app folders into")
    making.add_argument("overrides", nargs="*", metavar="field=value", help="overrides of the recipe")
    for command in (checking, running, making):
        command.add_argument(
            "--isolation",
            choices=get_args(SandboxConfig.model_fields["isolation"].annotation),
            default=SandboxConfig().isolation,
            help="the least to run programs under (%(default)s); see README, Security",
        )
    for command in (reading, checking, showing, running):
        command.add_argument("path", type=Path, help="where the apps are")
        command.add_argument("--json", action="store_true", help="print JSON")
    for command in (showing, running):
        command.add_argument("app", nargs="?", help="which of them, where there are several")
    arguments = parser.parse_args(argv)
    limits = SandboxConfig(isolation=getattr(arguments, "isolation", SandboxConfig().isolation))
    with one_line_errors():
        match arguments.command:
            case "import":
                fit = import_apps(arguments.path, arguments.out, as_json=arguments.json)
            case "check":
                fit = check(arguments.path, arguments.runs, limits, as_json=arguments.json)
            case "make":
                package = [f"package={arguments.package}"] if arguments.package else []
                recipe = configuration.load(RecipeConfig, arguments.config, [*package, *arguments.overrides])
                fit = make_apps(recipe, arguments.out, limits)
            case "show":
                fit = show(_one(arguments.path, arguments.app), as_json=arguments.json)
            case _:
                fit = run(_one(arguments.path, arguments.app), arguments.program, limits, as_json=arguments.json)
    if not fit:
        raise SystemExit(UNFIT)


def read(path: Path) -> list[App]:
    """The apps at ``path``, or those that a feedback job's configuration names.

    Raises:
        AppError, ConfigError: one line that names the path and the remedy.
    """
    if path.suffix in (".yaml", ".yml"):
        apps = load_apps(configuration.load(FeedbackJobConfig, path).apps)
        return [*apps.train, *apps.heldout]
    return read_apps(path)


def import_apps(path: Path, out: Path | None, *, as_json: bool) -> bool:
    """Print what was read; with ``out``, write each app as a folder there."""
    apps = read(path)
    if out is not None:
        taken = [app.app_id for app in apps if (out / app.app_id).exists()]
        if taken:
            raise AppError(f"{out / taken[0]}: is there already; give another folder with -o, or delete it")
        for app in track(apps, "writing", console=aside, transient=True, disable=not aside.is_terminal):
            write_app(app, out / app.app_id)
    if as_json:
        print(json.dumps({app.app_id: _summary(app) for app in apps}, indent=2))
        return True
    table = Table("app", "interface", "source", "tests", "runner", "timeout", title=f"{path}", title_justify="left")
    for app in apps:
        sizes = (f"{sum(map(len, texts.values())):,} chars" for texts in (app.source, app.tests))
        table.add_row(app.app_id, app.interface.text, *sizes, app.runner, f"{app.timeout_s:g} s")
    console.print(table)
    console.print(f"{len(apps)} apps" + (f", written to {out}" if out else ""))
    return True


def check(path: Path, runs: int, limits: SandboxConfig, *, as_json: bool) -> bool:
    """Run each reference ``runs`` times and print which apps are fit; True where all are."""
    apps = read(path)
    with _sandbox(apps, limits) as sandbox:
        chunks = [apps[start : start + 8] for start in range(0, len(apps), 8)]
        tracked = track(chunks, "running references", console=aside, transient=True, disable=not aside.is_terminal)
        admission = Admission.of(admit(chunk, sandbox, runs, floor_s=limits.timeout_s) for chunk in tracked)
    reasons = {one.app_id: one.reason for one in admission.quarantined}
    fit = {app.app_id: app for app in admission.apps}
    if as_json:
        shown = {app.app_id: _outcome(outcome) for app, outcome in zip(apps, admission.outcomes, strict=True)}
        for app_id in shown:
            shown[app_id] |= {"fit": True, "timeout_s": fit[app_id].timeout_s} if app_id in fit else {"fit": False}
            shown[app_id] |= {"reason": reasons[app_id]} if app_id in reasons else {}
        print(json.dumps(shown, indent=2))
        return not reasons
    table = Table("app", "fit", "tests", "timeout", "reason", title=f"{path}", title_justify="left")
    for app in apps:
        if app.app_id in fit:
            measured = fit[app.app_id]
            table.add_row(app.app_id, "yes", str(len(measured.test_ids)), f"{measured.timeout_s:.2f} s", "")
        else:
            table.add_row(app.app_id, "no", "", "", reasons[app.app_id])
    console.print(table)
    console.print(
        f"{len(fit)} of {len(apps)} apps are fit; {admission.flips} of {admission.test_runs} test results differed "
        f"between runs: less than {admission.noise_floor:.2%} of results are chance (95 %)"
    )
    return not reasons


def make_apps(recipe: RecipeConfig, out: Path, limits: SandboxConfig) -> bool:
    """Make apps out of real code and print what became of each function; True where there are any apps."""
    from cetd.data.recorded.making import Dropped, Made, make

    columns = TextColumn("{task.description:<42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with (
        Sandbox(limits) as sandbox,
        Progress(*columns, console=aside, transient=True, disable=not aside.is_terminal) as shown,
    ):
        bars: dict[tuple[str, str], TaskID] = {}

        def report(step: Step) -> None:
            key = step.split, step.stage
            if key not in bars:
                bars[key] = shown.add_task("", total=step.total)
            at = f"{step.split} {step.stage} {step.app_id}".strip()
            shown.update(bars[key], completed=step.done, total=step.total, description=at[:42])

        results = make(recipe, out, sandbox, report)
    table = Table("app", "tests", "branches", "mutants failed", "score", title=f"{out}", title_justify="left")
    made = [each for each in results if isinstance(each, Made)]
    for each in made:
        of = each.figures
        name = f"{each.split}/{each.app_id}".lstrip("/")
        branches, killed = f"{of.covered} of {of.branches}", f"{of.killed} of {of.mutants}"
        table.add_row(name, str(of.tests), branches, killed, f"{of.score:.2f}")
    console.print(table)
    reasons = Counter(f"{each.stage}: {each.reason}" for each in results if isinstance(each, Dropped))
    for reason, count in reasons.most_common(_MOST_REASONS):
        console.print(f"{count:4}  {reason}", markup=False)
    kept = sum(each.kept for each in made)
    scores = sorted(each.figures.score for each in made)
    said = f"; mutation score {scores[0]:.2f} to {scores[-1]:.2f}, median {median(scores):.2f}" if scores else ""
    console.print(
        f"{len(made)} apps in {out} ({kept} were there already){said}; {sum(reasons.values())} functions are none"
    )
    return bool(made)


def show(app: App, *, as_json: bool) -> bool:
    """Print an app's interface, sources and tests."""
    if as_json:
        print(json.dumps(_summary(app) | {"source": dict(app.source), "tests": dict(app.tests)}, indent=2))
        return True
    for title, texts in (("source", app.source), ("tests", app.tests)):
        for path, text in sorted(texts.items()):
            console.rule(f"{app.app_id}: {title}: {path}", align="left")
            console.print(Syntax(text, "python" if path.endswith(".py") else "text", background_color="default"))
    console.rule(f"{app.app_id}: interface, module {app.interface.module}", align="left")
    console.print(app.interface.text, markup=False)
    return True


def run(app: App, program: Path, limits: SandboxConfig, *, as_json: bool) -> bool:
    """Test ``program`` as a reconstruction is tested, and print what it came to; True where all tests pass.

    What counts are the tests that the reference passes, so that one runs first.
    """
    texts = _program(app, program)
    with _sandbox([app], limits) as sandbox:
        admission = admit([app], sandbox, 1)
        measured = admission.apps[0] if admission.apps else app
        outcome = sandbox.run(texts, measured.suite, measured.timeout_s)
    for one in admission.quarantined:
        aside.print(f"warning: {app.app_id} itself is not fit for use: {one.reason}", markup=False)
    if isinstance(outcome, Unscored):
        raise AppError(f"{app.app_id}: {outcome.reason}")
    shown = _outcome(outcome)
    shown["total"] = shown["total"] or len(measured.test_ids)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        for test in shown["tests"]:
            console.print(f"{test['outcome']:6}  {test['id']}  {test['message']}", markup=False)
        if reason := shown.get("reason"):
            console.print(reason, markup=False)
        said = shown["outcome"].replace("_", " ")
        console.print(f"{said}: {shown['passed']} of {shown['total']} tests passed in {shown['seconds']:.3f} s")
    return shown["passed"] == shown["total"] > 0


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data."""
    shown: dict[str, Any] = {"outcome": NAMES[type(outcome)], "passed": 0, "total": 0, "tests": [], "seconds": 0.0}
    match outcome:
        case Scored(passed, total, tests=tests):
            shown |= {"passed": passed, "total": total}
            for test in tests:
                ended = {"outcome": test.outcome, "seconds": test.seconds, "message": test.message}
                shown["tests"].append({"id": test.test_id, **ended})
        case Crashed(reason) | Unscored(reason):
            shown["reason"] = reason
    if not isinstance(outcome, Unscored):
        shown |= {"seconds": outcome.seconds, "output": outcome.output}
    return shown


def _program(app: App, program: Path) -> dict[str, str]:
    """A file, taken for the module of the interface, or the files of a folder."""
    if program.is_dir():
        files = sorted(path for path in program.rglob("*.py") if path.is_file())
        texts = {path.relative_to(program).as_posix(): path for path in files}
    else:
        texts = {f"{app.interface.module}.py": program}
    if not texts:
        raise AppError(f"--program {program}: no Python file in it")
    try:
        return {name: path.read_text(encoding="utf-8") for name, path in texts.items()}
    except UnicodeDecodeError:
        raise AppError(f"--program {program}: not UTF-8 text; convert it") from None


def _one(path: Path, app_id: str | None) -> App:
    apps = {app.app_id: app for app in read(path)}
    if app_id is None and len(apps) == 1:
        return next(iter(apps.values()))
    some = ", ".join(list(apps)[:5]) + (", …" if len(apps) > 5 else "")
    if app_id is None:
        raise AppError(f"{path}: holds {len(apps)} apps; name one of them: {some}")
    if app_id not in apps:
        raise AppError(f"{path}: no app {app_id!r} in it; it has {some}")
    return apps[app_id]


def _sandbox(apps: Sequence[App], limits: SandboxConfig) -> Sandbox:
    return Sandbox(limits, sorted({name for app in apps for name in app.requirements}))


def _summary(app: App) -> dict[str, Any]:
    return {
        "interface": {"module": app.interface.module, "signatures": list(app.interface.signatures)},
        "runner": app.runner,
        "arguments": list(app.arguments),
        "requirements": list(app.requirements),
        "files": sorted(app.files),
        "timeout_s": app.timeout_s,
    }


if __name__ == "__main__":
    main()
