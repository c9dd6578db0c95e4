"""What the command lines of all jobs share: ``--config``, dotted overrides, and errors as one line."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from cetd import config as configuration
from cetd.config import Section
from cetd.errors import InfrastructureError
from cetd.run_folder import RunFolder, RunFolderError

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=Section)

# Exit status of a command that was given something it cannot use.
USAGE = 2


def parse(
    root: type[Config],
    description: str,
    argv: list[str] | None,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> tuple[Config, argparse.Namespace]:
    """The configuration and the other arguments; ends the process with one line on a wrong one."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="fields (default): " + fields(root),
    )
    parser.add_argument("--config", type=Path, help="YAML file; presets are under configs/")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="section.field=value",
        help="overrides of the file; name=… is short for run.name=…",
    )
    if add_arguments:
        add_arguments(parser)
    arguments = parser.parse_intermixed_args(argv)
    # A run's name is what a user changes most.
    short = "run" in root.model_fields
    overrides = [f"run.{one}" if short and one.startswith("name=") else one for one in arguments.overrides]
    try:
        return configuration.load(root, arguments.config, overrides), arguments
    except configuration.ConfigError as error:
        fail(error)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """``--resume`` and ``--restart``, for jobs that have a run folder."""
    parser.add_argument(
        "--resume", action="store_true", help="refuse to begin a new run; without it the same run.name resumes as well"
    )
    parser.add_argument("--restart", action="store_true", help="drop what a run of this name has left, and begin anew")


def begin(folder: RunFolder, config: Section, arguments: argparse.Namespace) -> None:
    """Make ``folder`` the run of ``config``, as :func:`add_run_arguments` was answered.

    Raises:
        RunFolderError: there is nothing to resume, or a run of another configuration.
    """
    if arguments.restart:
        folder.clear()
    if arguments.resume and not folder.exists:
        raise RunFolderError(f"run.name={folder.path.name}: nothing to resume under {folder.path}")
    folder.adopt(config)


def log_to_terminal() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """The boundary of every job: what a user can mend ends the process with one line; a bug keeps its traceback."""
    try:
        yield
    except (ValueError, InfrastructureError) as error:
        log.debug("where it was raised", exc_info=True)
        fail(error)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else error)


def fail(error: Exception | str) -> NoReturn:
    """End the process with one line."""
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(USAGE)


def fields(root: type[Section]) -> str:
    """A configuration's fields, one in a line, with defaults and what they do."""
    return "".join(f"\n  {name} ({default}): {text}" for name, default, text in configuration.describe(root))
