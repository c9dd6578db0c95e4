"""The judge process: executes an app's tests, and alone decides what they came to.

The tests' imports of the program are answered by proxies that forward each call to the candidate process, so none of
the program's code ever runs here; what comes back is plain data, checked before it is used. Each top-level ``test_*``
function of each test file is one result. The verdict goes to a descriptor that no candidate has. A judge serves one
app: its later runs find the tests compiled, and are given new candidates.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from types import CodeType
from typing import Any

from cetd.sandbox.encoding import decode, encode
from cetd.sandbox.protocol import read_all, write_all
from cetd.sandbox.remote import Abort, Remote, RemoteFinder
from cetd.sandbox.sources import SourceFinder

# What a judge answers: the second tells its server that the candidate ended, or has to be, before its tests were done.
FINISHED, ABORTED = b"f", b"a"
# Descriptors of a run, in this order.
RUN_FDS = ("channel", "tests", "verdict")
_MESSAGE_LENGTH = 500

Result = tuple[str, str, float, str]  # test id, passed | failed | error, seconds, message


class BrokenTestsError(Exception):
    """The app's tests cannot be run, whatever the program is."""


def main(line: socket.socket) -> None:
    """Judge runs of one app until ``line`` closes; each message on it brings the descriptors of a run.

    The tests are read with the first run. The verdict is the encoding of (state, reason, results); state is done, tests
    (the app's fault), or an Abort's.
    """
    suite: Suite | None = None
    while True:
        data, fds, _, _ = socket.recv_fds(line, 1, len(RUN_FDS))
        if not data:
            return
        channel_fd, tests_fd, verdict_fd = fds
        results: list[Result] = []
        try:
            suite = suite or Suite(decode(read_all(tests_fd)))
            with socket.socket(fileno=channel_fd) as channel:
                results = suite.run(Remote(channel))
            state, reason = "done", ""
        except Abort as abort:
            state, reason = abort.state, abort.reason
        except BrokenTestsError as error:
            state, reason = "tests", str(error)
        write_all(verdict_fd, encode((state, reason[:_MESSAGE_LENGTH], results)))
        os.close(tests_fd)
        os.close(verdict_fd)
        line.send(FINISHED if state == "done" else ABORTED)


class Suite:
    """An app's tests, compiled, with the imports that they make."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._texts: dict[str, str] = job["tests"]
        self._codes = _compile(self._texts)
        self._programs = RemoteFinder(job["program_paths"])
        self._finders = (SourceFinder(self._texts), self._programs)
        sys.meta_path[:0] = reversed(self._finders)  # pyright: ignore[reportArgumentType]

    def run(self, remote: Remote) -> list[Result]:
        """Every test against one candidate; nothing that they import or define is kept from an earlier one.

        Raises:
            Abort: the candidate ended.
        """
        import random  # loaded by the server, which keeps forks from seeding it anew

        remote.wait_until_ready()
        self._programs.remote = remote
        for finder in self._finders:
            finder.forget()
        random.seed(0)
        results: list[Result] = []
        for path, code in self._codes.items():
            results += _run_file(path, self._texts[path], code, remote)
        return results


def _compile(tests: Mapping[str, str]) -> dict[str, CodeType]:
    """The files that define tests; the others are modules that those may import."""
    suite = {}
    for path, text in sorted(tests.items()):
        if path.endswith(".py"):
            try:
                code = compile(text, path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                raise BrokenTestsError(f"{path}: {error}") from None
            if _test_names(code):
                suite[path] = code
    if not suite:
        raise BrokenTestsError(f"no test_* function in {', '.join(sorted(tests)) or 'no files'}")
    return suite


def _test_names(code: CodeType) -> list[str]:
    """Names of the top-level test functions, known before the file is executed, in the order of their definition."""
    names = [const.co_name for const in code.co_consts if isinstance(const, CodeType)]
    return list(dict.fromkeys(name for name in names if name.startswith("test_")))


def _run_file(path: str, text: str, code: CodeType, remote: Remote) -> list[Result]:
    lines = text.splitlines()
    namespace: dict[str, Any] = {"__name__": path.removesuffix(".py").replace("/", "."), "__file__": path}
    results = [_timed(f"{path}", lambda: exec(code, namespace), path, lines, remote)]
    if results[0][1] != "passed":  # what every test of the file needs is missing
        _, _, seconds, message = results[0]
        return [(f"{path}::{name}", "error", seconds, message) for name in _test_names(code)]
    return [
        _timed(f"{path}::{name}", lambda name=name: namespace[name](), path, lines, remote)
        for name in _test_names(code)
    ]


def _timed(test_id: str, run: Any, path: str, lines: list[str], remote: Remote) -> Result:
    started = time.perf_counter()
    outcome, message = "passed", ""
    try:
        run()
    except AssertionError as error:
        outcome, message = "failed", _explain(error, path, lines)
    except Exception as error:  # noqa: BLE001 - whatever a test raises is its result
        outcome, message = "error", f"{type(error).__name__}: {_explain(error, path, lines)}"
    if remote.abort:
        raise remote.abort
    return test_id, outcome, time.perf_counter() - started, message[:_MESSAGE_LENGTH]


def _explain(error: Exception, path: str, lines: list[str]) -> str:
    """The exception's message, or the line of the test file that it left from."""
    number, step = 0, error.__traceback__
    while step:
        if step.tb_frame.f_code.co_filename == path:
            number = step.tb_lineno
        step = step.tb_next
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - arguments of the program's, such as a number too long to print
        message = ""
    return " | ".join(part for part in (message, line) if part)
