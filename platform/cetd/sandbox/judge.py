"""The judge process: executes an app's tests, and alone decides what they came to.

The tests' imports of the program are answered by proxies that forward each call to the candidate process, so none of
the program's code ever runs here; what comes back is checked before it is used. The verdict goes to a descriptor that
no candidate has. A judge serves one app: its later runs find the tests compiled, and are given new candidates. Each run
is a process forked from it, the only one that reads what a candidate sends.
Runs inside the sandbox: standard library only, and pytest for apps that use it.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from cetd.sandbox.confinement import Confinement
from cetd.sandbox.encoding import MAX_BYTES, decode, encode
from cetd.sandbox.protocol import read_all, write_all
from cetd.sandbox.pytest_runner import PytestRunner
from cetd.sandbox.remote import Abort, Remote
from cetd.sandbox.results import BrokenTestsError, Result
from cetd.sandbox.script_runner import ScriptRunner
from cetd.sandbox.sources import module_names

# What a judge answers: the second tells its server that the candidate ended, or has to be, before its tests were done.
FINISHED, ABORTED = b"f", b"a"
# Descriptors of a run, in this order.
RUN_FDS = ("channel", "tests", "verdict")
_MESSAGE_LENGTH = 500
# How a process of tests ends once it has written its verdict, and when it could not; tests may use the usual numbers.
_WRITTEN, _UNWRITTEN = {FINISHED: 70, ABORTED: 71}, 72
# What a machine that is short of memory or shuts down sends, and no program can bring about.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def main(line: socket.socket, confinement: Confinement, room: str) -> None:
    """Judge runs of one app until ``line`` closes; each message on it brings the descriptors of a run.

    The tests are read with the first run. The verdict is the encoding of (state, reason, results, places of plain
    data); state is done, tests (the app's fault), or an Abort's.
    """
    confinement.lock_in_judge()
    suite: _Suite | None = None
    while True:
        data, fds, _, _ = socket.recv_fds(line, 1, len(RUN_FDS))
        if not data:
            return
        channel_fd, tests_fd, verdict_fd = fds
        try:
            suite = suite or _Suite(decode(read_all(tests_fd)), confinement, room)
            answer = suite.judge(channel_fd, verdict_fd)
        except BrokenTestsError as error:
            answer = conclude(verdict_fd, "tests", str(error), [])
        for fd in fds:
            os.close(fd)
        line.send(answer)


class _Suite:
    """An app's tests and what runs them."""

    def __init__(self, job: Mapping[str, Any], confinement: Confinement, room: str) -> None:
        self._confinement = confinement
        self._room = room
        self._own_modules = set(module_names(job["tests"]))
        self._plain_only: tuple[str, ...] = job["plain"]
        self._runner = PytestRunner(job, room, confinement.judging) if job["runner"] == "pytest" else ScriptRunner(job)
        self._files = _files(room)

    def judge(self, channel_fd: int, verdict_fd: int) -> bytes:
        """Run the tests against a candidate, in a process of their own, and write the verdict.

        Up to the fork nothing of the program's has been read, so whatever ends the other process after it is the
        program's doing, but for signals from outside: the tests are those that its app's reference has passed.
        """
        with socket.socket(fileno=os.dup(channel_fd)) as channel:
            remote = Remote(channel, self._own_modules, self._plain_only)
            try:
                remote.wait_until_ready()
            except Abort as abort:
                return conclude(verdict_fd, abort.state, abort.reason, [])
            pid = os.fork()
            if pid == 0:
                try:
                    self._confinement.lock_in_tests()
                    os._exit(_WRITTEN[self._run(remote, verdict_fd)])
                except OSError:
                    os._exit(_UNWRITTEN)
                finally:
                    os._exit(1)
        _, status = os.waitpid(pid, 0)
        self._confinement.end_strays()
        answer = _answer(os.waitstatus_to_exitcode(status), verdict_fd)
        return answer if _tidied(self._room, self._files) else ABORTED  # which is the end of this judge

    def _run(self, remote: Remote, verdict_fd: int) -> bytes:
        try:
            verdict = _encoded("done", "", self._runner.run(remote), remote.kinds.plain)
            answer = FINISHED
        except Abort as abort:
            verdict, answer = _encoded(abort.state, abort.reason, []), ABORTED
        except BrokenTestsError as error:
            verdict, answer = _encoded("tests", str(error), []), ABORTED
        except MemoryError:
            verdict, answer = _encoded("memory", "MemoryError in the run of its tests", []), ABORTED
        except BaseException as error:  # noqa: BLE001 - of the runner itself, which the reference did not bring about
            verdict, answer = _encoded("garbage", f"{type(error).__name__} in the run of its tests", []), ABORTED
        write_all(verdict_fd, verdict)
        return answer


def _answer(code: int, verdict_fd: int) -> bytes:
    """What to tell the server of the end of a process of tests; completes the verdict where that could not."""
    answer = next((answer for answer, written in _WRITTEN.items() if written == code), None)
    if answer or code == _UNWRITTEN or -code in _FROM_OUTSIDE:
        return answer or ABORTED
    os.ftruncate(verdict_fd, 0)
    os.lseek(verdict_fd, 0, os.SEEK_SET)
    how = f"exit status {code}" if code >= 0 else signal.Signals(-code).name
    return conclude(verdict_fd, "garbage", f"what it did ended the process of its tests: {how}", [])


def conclude(verdict_fd: int, state: str, reason: str, results: list[Result]) -> bytes:
    """Write a verdict that ends the judge."""
    write_all(verdict_fd, _encoded(state, reason, results))
    return ABORTED


def _encoded(state: str, reason: str, results: list[Result], plain: Sequence[str] = ()) -> bytes:
    length = min(_MESSAGE_LENGTH, MAX_BYTES // (8 * max(len(results), 1)))  # four bytes a character, in half of it
    cut = [(test_id, outcome, seconds, message[:length]) for test_id, outcome, seconds, message in results]
    return encode((state, reason[:_MESSAGE_LENGTH], cut, list(plain)))


def _files(folder: str) -> dict[str, tuple[int, ...]]:
    """What there is in the judge's own file system; but not what is compiled of the tests, which is for later runs."""
    found: dict[str, tuple[int, ...]] = {}
    with os.scandir(folder) as entries:  # several times as fast as os.walk
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (is_folder and entry.name == "__pycache__"):
                found[entry.path] = _state(entry.path)
                if is_folder:
                    found |= _files(entry.path)
    return found


def _state(path: str) -> tuple[int, ...]:
    state = os.lstat(path)
    if stat.S_ISDIR(state.st_mode):
        return (state.st_mode,)
    return state.st_mode, state.st_size, state.st_mtime_ns, state.st_ino


def _tidied(room: str, before: dict[str, tuple[int, ...]]) -> bool:
    """Remove what the tests of a run left behind; whether all is as it was before."""
    try:
        found = _files(room)
        if left := sorted(found.keys() - before.keys(), reverse=True):  # what a folder holds comes before it
            for path in left:
                os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
            found = _files(room)
        return found == before
    except (OSError, RecursionError):  # a folder within a folder within ...
        return False
