"""The judge process: executes an app's tests, and alone decides what they came to.

The tests' imports of the program are answered by proxies that forward each call to the candidate process, so none of
the program's code ever runs here; what comes back is checked before it is used. The verdict goes to a descriptor that
no candidate has. A judge serves one app: its later runs find the tests compiled, and are given new candidates.
Runs inside the sandbox: standard library only, and pytest for apps that use it.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from cetd.sandbox import namespaces
from cetd.sandbox.encoding import decode, encode
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
NAMESPACES = namespaces.NEW_USER | namespaces.NEW_MOUNTS | namespaces.NEW_PIDS
_MESSAGE_LENGTH = 500
_FILES_MB = 64


class Room(NamedTuple):
    """What a judge has for itself. The ids are those outside of its user namespace."""

    uid: int
    gid: int
    address_bytes: int


def main(line: socket.socket, room: Room) -> None:
    """Judge runs of one app until ``line`` closes; each message on it brings the descriptors of a run.

    The tests are read with the first run. The verdict is the encoding of (state, reason, results); state is done, tests
    (the app's fault), or an Abort's.
    """
    namespaces.map_ids(room.uid, room.gid)
    namespaces.mount_private(_FILES_MB)
    namespaces.limit_address_space(room.address_bytes)
    namespaces.drop_capabilities()
    suite: _Suite | None = None
    while True:
        data, fds, _, _ = socket.recv_fds(line, 1, len(RUN_FDS))
        if not data:
            return
        channel_fd, tests_fd, verdict_fd = fds
        try:
            suite = suite or _Suite(decode(read_all(tests_fd)))
            answer = suite.judge(channel_fd, verdict_fd)
        except BrokenTestsError as error:
            answer = _conclude(verdict_fd, "tests", str(error), [])
        for fd in fds:
            os.close(fd)
        line.send(answer)


class _Suite:
    """An app's tests and what runs them."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._own_modules = set(module_names(job["tests"]))
        self._runner = PytestRunner(job) if job["runner"] == "pytest" else ScriptRunner(job)

    def judge(self, channel_fd: int, verdict_fd: int) -> bytes:
        """Run the tests against a candidate and write the verdict."""
        if not self._runner.forks:
            return self._run(channel_fd, verdict_fd)
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if self._run(channel_fd, verdict_fd) == FINISHED else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(pid, 0)
        _end_strays()
        return FINISHED if status == 0 else ABORTED

    def _run(self, channel_fd: int, verdict_fd: int) -> bytes:
        try:
            with socket.socket(fileno=os.dup(channel_fd)) as channel:
                remote = Remote(channel, self._own_modules)
                remote.wait_until_ready()
                return _conclude(verdict_fd, "done", "", self._runner.run(remote))
        except Abort as abort:
            return _conclude(verdict_fd, abort.state, abort.reason, [])
        except BrokenTestsError as error:
            return _conclude(verdict_fd, "tests", str(error), [])


def _conclude(verdict_fd: int, state: str, reason: str, results: list[Result]) -> bytes:
    cut = [(test_id, outcome, seconds, message[:_MESSAGE_LENGTH]) for test_id, outcome, seconds, message in results]
    write_all(verdict_fd, encode((state, reason[:_MESSAGE_LENGTH], cut)))
    return FINISHED if state == "done" else ABORTED


def _end_strays() -> None:
    """Whatever tests have started and left behind: this process is the first of its PID namespace."""
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)
    except (ProcessLookupError, ChildProcessError):
        return
