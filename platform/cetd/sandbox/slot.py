"""A slot: makes the processes of one run after another, and ends them.

It forks a fresh candidate for each run. Tests that its last judge did not have are given to a spare one, which was
forked before they came and has had no others. It reads nothing but START records (see protocol), so a candidate that
searches the memory it inherits from here finds nothing of other runs. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from cetd.sandbox import candidate, judge, process
from cetd.sandbox.confinement import Confinement
from cetd.sandbox.processors import Processors
from cetd.sandbox.protocol import START_FDS, Done, Start

_EXIT_GRACE_S = 0.05
# How long a run keeps to one processor.
_SHORT_S = 0.1


class Slot:
    """Serves runs, one at a time, from ``control``."""

    def __init__(self, control: socket.socket, confinement: Confinement, processors: Processors) -> None:
        self._control = control
        self._confinement = confinement
        self._processors = processors
        self._judge: _Judge | None = None
        self._spare: _Judge | None = None

    def serve(self) -> None:
        """Answer each START with a DONE, until the parent closes its end."""
        self._control.send(b"ready")
        while True:
            self._have_a_spare()
            data, fds, _, _ = socket.recv_fds(self._control, 64, len(START_FDS))
            if not data:
                return
            start = Start.unpack(data)
            done = self.run(start, dict(zip(START_FDS, fds, strict=True)))
            self._control.send(done.pack())

    def run(self, start: Start, fds: dict[str, int]) -> Done:
        """One run, from fork to the end of everything that the program started; closes ``fds``."""
        started = time.monotonic()
        gone = self._dismiss_unless(start.suite)
        try:
            self._judge = served = self._judge or self._fresh_judge(start.suite)
            room = self._confinement.make_room(judging=False)
            judge_end, candidate_end = socket.socketpair()
            self._processors.enter(served.pid)
            pid = process.spawn(self._confinement.candidate_namespaces)
        except OSError as error:  # no room on the disk, or no process to be had: of this run alone
            judge.conclude(fds["verdict"], "setup", str(error), [])
            return self._not_begun(start, fds, gone)
        if pid == 0:
            channel = candidate_end.fileno()
            as_child(candidate.main, channel, fds["program"], fds["output"], self._confinement, room)
        candidate_end.close()
        with judge_end:
            served.begin(judge_end.fileno(), fds["tests"], fds["verdict"])
        for fd in fds.values():
            os.close(fd)

        if not readable(served.line.fileno(), min(start.timeout_s, _SHORT_S)):
            self._processors.leave(pid, served.pid)
        timed_out = not readable(served.line.fileno(), start.timeout_s - (time.monotonic() - started))
        answer = b"" if timed_out else served.answer()
        # A candidate that is about to be gone is let go, for its own exit status.
        killed = not (answer == judge.ABORTED and process.ends_within(pid, _EXIT_GRACE_S))
        if killed:
            os.kill(pid, signal.SIGKILL)
        judge_status = 0
        if answer != judge.FINISHED:
            served.kill()
            judge_status = served.reap()
            self._judge = None
        if gone:
            gone.reap()
        _, candidate_status, usage = os.wait4(pid, 0)  # the kernel waits for the whole PID namespace
        self._confinement.remove_room(room)
        self._processors.leave()
        wall_s, cpu_s = time.monotonic() - started, usage.ru_utime + usage.ru_stime
        return Done(start.run, timed_out, killed, candidate_status, judge_status, wall_s, cpu_s, usage.ru_maxrss)

    def _not_begun(self, start: Start, fds: dict[str, int], gone: _Judge | None) -> Done:
        self._processors.leave()
        for fd in fds.values():
            os.close(fd)
        if gone:
            gone.reap()
        return Done(start.run, False, False, 0, 0, 0.0, 0.0, 0)

    def _dismiss_unless(self, suite: bytes) -> _Judge | None:
        """Kill the judge if it has other tests, or is gone; returns one that is to be reaped.

        The end of its namespaces takes as long as the start of a judge, and goes on beside it.
        """
        leaving = self._judge
        if leaving is None or (leaving.suite == suite and leaving.is_waiting()):
            return None
        self._judge = None
        leaving.kill()
        return leaving

    def _fresh_judge(self, suite: bytes) -> _Judge:
        """The spare one, or where that is gone a new one.

        Raises:
            OSError: it cannot be made.
        """
        fresh, self._spare = self._spare, None
        if fresh and not fresh.is_waiting():
            fresh.kill()
            fresh.reap()
            fresh = None
        fresh = fresh or _Judge(self._confinement)
        fresh.suite = suite
        return fresh

    def _have_a_spare(self) -> None:
        """Between runs, so that none waits for a judge to start."""
        if self._spare is None:
            with contextlib.suppress(OSError):  # the run that needs one will say so
                self._spare = _Judge(self._confinement)


class _Judge:
    """A judge process that has, or is about to have, the tests of ``suite``; None while it is spare."""

    def __init__(self, confinement: Confinement) -> None:
        self.suite: bytes | None = None
        self.line, theirs = socket.socketpair()
        self._confinement, self._room = confinement, confinement.make_room(judging=True)
        self.pid = process.spawn(confinement.judge_namespaces)
        if self.pid == 0:
            as_child(self._start, theirs.fileno())
        theirs.close()

    def is_waiting(self) -> bool:
        """Between runs, whether it is still there: an idle judge has nothing to say, what can be read is its end."""
        return not readable(self.line.fileno(), 0)

    def begin(self, *fds: int) -> None:
        """Hand over the descriptors of a run."""
        socket.send_fds(self.line, [b"r"], fds)

    def answer(self) -> bytes:
        """FINISHED or ABORTED; empty when the judge is gone."""
        try:
            return self.line.recv(1)
        except ConnectionResetError:
            return b""

    def kill(self) -> None:
        """Kill it, if it is still there."""
        os.kill(self.pid, signal.SIGKILL)
        self.line.close()

    def reap(self) -> int:
        """Wait until nothing is left of it; its wait status."""
        _, status = os.waitpid(self.pid, 0)
        self._confinement.remove_room(self._room)
        return status

    def _start(self, line: int) -> None:
        self._confinement.hide_files(self._room, judging=True)
        process.keep_only([0, 1, 2, line])
        judge.main(socket.socket(fileno=3), self._confinement, self._room)


def as_child(body: Callable[..., None], *arguments: Any) -> None:
    """Be a process that does ``body`` and ends; does not return."""
    try:
        process.end_with_parent()
        body(*arguments)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the end of a process: said in the log, or in a candidate's output
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)


def readable(fd: int, seconds: float) -> bool:
    """Whether ``fd`` has something to read, or its other end is gone, within ``seconds``."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(seconds, 0.0) * 1000))
