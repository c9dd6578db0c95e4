"""The sandbox: runs a program against an app's tests, isolated, and says what it came to.

Each run is a fresh judge and a fresh candidate forked by a warm, isolated server (see tiers, launch, server). A verdict
comes from the judge alone; what became of the candidate comes from the server; only both together make an outcome.
Whatever goes wrong on our side is Unscored, never zero, and the next run finds a new server.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from cetd.config import SandboxConfig
from cetd.data.app import Suite
from cetd.sandbox.encoding import EncodingError, encode
from cetd.sandbox.launch import ServerFailedError, ServerProcess
from cetd.sandbox.outcome import Crashed, Outcome, Scored, Unscored
from cetd.sandbox.protocol import SUITE_BYTES, Done, Start, write_all
from cetd.sandbox.root import SandboxUnavailable, base_python
from cetd.sandbox.tiers import Tier, tiers
from cetd.sandbox.verdict import RawRun, outcome_of, read_verdict

# Beyond its own limit, within which the server has to report the end of a run.
_GRACE_S = 10.0
_READ_BYTES = 1 << 16
_PROBE_PROGRAM = {"probe.py": "def answer():\n    return 42\n"}
_PROBE_TESTS = {"test_probe.py": "from probe import answer\ndef test_answer():\n    assert answer() == 42\n"}


class _ServerLostError(Exception):
    """The fork server died or stopped answering during a run."""


class Sandbox:
    """Runs programs under ``limits``, up to ``limits.slots`` at once; safe to share between threads.

    ``requirements`` name installed distributions that programs and tests may import. ``python`` is the interpreter
    inside, by default the one below this environment.

    Raises:
        SandboxUnavailable: programs cannot be isolated here, or not as ``limits`` ask; nothing runs then.
        ValueError: a requirement is not met.
    """

    def __init__(self, limits: SandboxConfig, requirements: Sequence[str] = (), python: str | None = None) -> None:
        self._limits = limits
        self._requirements = tuple(requirements)
        self._python = python or base_python()
        self._key = os.urandom(SUITE_BYTES)  # candidates see the digest, and could check guesses of the tests by it
        self._lock = threading.Lock()
        self._free_slots = threading.Semaphore(limits.slots)
        self._server: ServerProcess | None = None
        self._idle: list[socket.socket] = []
        self._suites: dict[socket.socket, bytes] = {}
        self._runs = 0
        self._closed = False
        self._tier = self._strongest()

    @property
    def slots(self) -> int:
        """Runs that go on at once."""
        return self._limits.slots

    @property
    def isolation(self) -> str:
        """What programs are isolated by, in words."""
        server = self._server
        controllers = next(iter(server.groups.values())).controllers if server else ()
        groups = f"control groups ({', '.join(controllers)})" if controllers else "no control groups (none to be had)"
        return f"{groups}, {self._tier.words}"

    @property
    def server_pid(self) -> int | None:
        """Process id that takes the running fork server along when it ends; None between servers."""
        server = self._server
        return server.pid if server else None

    def run(
        self, program: Mapping[str, str], suite: Suite | Mapping[str, str], timeout_s: float | None = None
    ) -> Outcome:
        """Run the tests of ``suite`` against ``program`` (texts by relative path); waits for a free slot first.

        ``timeout_s`` is the wall clock in seconds of the run, by default that of the limits. Tests alone are a plain
        script suite.
        """
        suite = suite if isinstance(suite, Suite) else Suite(suite)
        timeout_s = self._limits.timeout_s if timeout_s is None else timeout_s
        try:
            job = encode(_job(suite, program))
        except EncodingError as error:
            return Unscored(f"the tests cannot be sent: {error}")
        try:
            text = encode((dict(program), dict(suite.files)))
        except EncodingError as error:
            return Crashed(f"the program cannot be sent: {error}", 0.0)
        return self._run_encoded(text, job, timeout_s, suite.expected)

    def _run_encoded(self, text: bytes, job: bytes, timeout_s: float, expected: Sequence[str]) -> Outcome:
        suite = hashlib.blake2b(job, digest_size=SUITE_BYTES, key=self._key).digest()
        with self._free_slots:
            try:
                server, slot = self._acquire(suite)
            except SandboxUnavailable as error:
                return Unscored(str(error))
            group = server.groups[slot]
            killed = group.killed()
            try:
                raw = self._execute(slot, text, job, suite, timeout_s)
                out_of_memory = group.killed() > killed
                if out_of_memory and server.group_of_all:
                    raise _ServerLostError("all runs together took more memory than they may")
            except (_ServerLostError, OSError) as error:
                self._discard(server, slot)
                return Unscored(f"the sandbox was lost during the run: {error} {server.last_words}".strip())
            except BaseException:  # an interrupt in the middle of a run: its answer would be taken for the next one's
                self._discard(server, slot)
                raise
            self._release(server, slot)
        shielded = self._tier.shields
        return outcome_of(raw, self._limits, expected, out_of_memory=out_of_memory, shielded=shielded)

    def close(self) -> None:
        """End the server and every run in it."""
        with self._lock:
            self._closed = True
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _strongest(self) -> Tier:
        """The strongest tier to be had, with a server started in it that has done a run."""
        failures = []
        for tier in tiers(self._limits.isolation):
            self._tier = tier
            try:
                self._start()
            except SandboxUnavailable as error:
                remedy = f"; {tier.remedy}" if isinstance(error, ServerFailedError) else ""
                failures.append(f"{tier.name}: {error}{remedy}")
                continue
            probe = self.run(_PROBE_PROGRAM, _PROBE_TESTS, timeout_s=_GRACE_S)
            if isinstance(probe, Scored) and probe.passed == 1:
                return tier
            with self._lock:
                self._stop()
            failures.append(f"{tier.name}: a first run did not work: {probe}; {tier.remedy}")
        # What is asked for comes first, and what would have been taken instead after it.
        raise SandboxUnavailable(f"programs cannot be isolated here: {'. '.join(reversed(failures))}")

    def _start(self) -> None:
        self._server = ServerProcess(self._limits, self._tier.prepare(self._python, self._requirements, self._limits))
        self._idle = list(self._server.slots)
        self._suites = {}

    def _acquire(self, suite: bytes) -> tuple[ServerProcess, socket.socket]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the sandbox is closed: make a new one")
            if self._server is None:
                self._start()
            assert self._server is not None
            # A slot that ran these tests last has them at hand; else the one that is idle for longest.
            slot = next((slot for slot in self._idle if self._suites.get(slot) == suite), self._idle[0])
            self._idle.remove(slot)
            self._suites[slot] = suite
            return self._server, slot

    def _release(self, server: ServerProcess, slot: socket.socket) -> None:
        with self._lock:
            if server is self._server:
                self._idle.append(slot)
            else:
                slot.close()

    def _discard(self, server: ServerProcess, slot: socket.socket) -> None:
        slot.close()
        with self._lock:
            if server is self._server:
                self._stop()

    def _stop(self) -> None:
        """With the lock held. Slots of runs in flight are closed by those, which see the server end."""
        server, idle = self._server, self._idle
        self._server, self._idle = None, []
        for slot in idle:
            slot.close()
        if server:
            server.stop()

    def _execute(self, slot: socket.socket, program: bytes, job: bytes, suite: bytes, timeout_s: float) -> RawRun:
        with self._lock:
            self._runs += 1
            run = self._runs
        with contextlib.ExitStack() as stack:

            def own(fd: int) -> int:
                stack.callback(os.close, fd)
                return fd

            program_fd, tests_fd, verdict_fd = (own(os.memfd_create(name)) for name in ("program", "tests", "verdict"))
            write_all(program_fd, program)
            write_all(tests_fd, job)
            output_fd, sink_fd = os.pipe2(os.O_CLOEXEC)
            own(output_fd)
            with contextlib.closing(os.fdopen(sink_fd, "wb", buffering=0)):
                socket.send_fds(
                    slot, [Start(run, suite, timeout_s).pack()], [program_fd, tests_fd, verdict_fd, sink_fd]
                )
            output = _Output(output_fd, self._limits.output_kb << 10)
            done = _await_done(slot, output, run, time.monotonic() + timeout_s + _GRACE_S)
            return RawRun(done, read_verdict(verdict_fd), output.rest())


def _job(suite: Suite, program: Mapping[str, str]) -> dict[str, Any]:
    """What a judge has to know of a suite."""
    return {
        "tests": dict(suite.tests),
        "runner": suite.runner,
        "arguments": suite.arguments,
        "files": dict(suite.files),
        "plain": suite.plain,
        "program_paths": suite.modules or tuple(program),
    }


class _Output:
    """Drains a candidate's output so that it never waits, and keeps the first ``limit`` bytes."""

    def __init__(self, fd: int, limit: int) -> None:
        os.set_blocking(fd, False)
        self.fd, self._limit, self._kept = fd, limit, bytearray()

    def drain(self) -> bytes | None:
        """Read once: what was there, empty at the end of the stream, None when there is nothing now."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return None
        self._kept += data[: self._limit - len(self._kept)]
        return data

    def rest(self) -> str:
        """Everything kept, once the run is over; does not wait for a stray copy of the writing end."""
        while self.drain():
            pass
        return self._kept.decode("utf-8", "replace")


def _await_done(slot: socket.socket, output: _Output, run: int, deadline: float) -> Done:
    poll = select.poll()
    poll.register(slot, select.POLLIN)
    poll.register(output.fd, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        ready = [fd for fd, _ in poll.poll(left * 1000)]
        if output.fd in ready and output.drain() == b"":
            poll.unregister(output.fd)
        if slot.fileno() in ready:
            data = slot.recv(256)
            if not data:
                raise _ServerLostError("the fork server ended")
            done = Done.unpack(data)
            if done.run != run:
                raise _ServerLostError(f"an answer to run {done.run} instead of {run}")
            return done
    raise _ServerLostError("the fork server does not answer")
