"""The warm fork server: a process in the sandbox that has Python loaded, and forks a judge and a candidate per run.

The first process makes one slot process per concurrent run and ends with the first of them that dies, which takes the
whole PID namespace along: the parent sees every run in flight fail, and starts a new server. A slot reads nothing but
START records (see protocol), so a candidate that searches its inherited memory finds nothing of other runs.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from cetd.sandbox import candidate, judge, namespaces
from cetd.sandbox.candidate import Confinement
from cetd.sandbox.protocol import START_FDS, Done, Start
from cetd.sandbox.seccomp import Filter

UNPRIVILEGED_UID = 65534
# Loaded once, so that programs and tests that import them start at once; each costs every fork a little.
# fmt: off
_WARM = (
    "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "hashlib", "heapq", "io", "itertools", "json", "math", "operator", "random",
    "re", "statistics", "string", "textwrap", "typing",
)
# fmt: on
_EXIT_GRACE_S = 0.05


def main(config: dict[str, Any]) -> None:
    """Serve runs on ``config["slots"]`` (sequenced-packet sockets) until a slot or the parent's lifeline ends.

    bubblewrap's --die-with-parent does not suffice: it may not signal a server that has left root.
    """
    if os.geteuid() == 0:
        namespaces.become_unprivileged(UNPRIVILEGED_UID)
    for name in _WARM:
        importlib.import_module(name)
    confinement = Confinement(
        uid=os.getuid(),
        gid=os.getgid(),
        cpu_s=config["cpu_s"],
        address_bytes=namespaces.address_space() + (config["memory_mb"] << 20),
        processes=config["processes"],
        file_mb=config["file_mb"],
        filter=Filter(os.uname().machine),
    )
    gc.collect()
    gc.freeze()  # keeps collections in the forks from copying shared pages
    ends = select.poll()
    ends.register(config["lifeline"], select.POLLIN)
    slots: list[int] = config["slots"]
    for slot in slots:
        pid, pidfd = namespaces.spawn()
        if pid == 0:
            _silence()
            for other in slots:
                if other != slot:
                    os.close(other)
            _as_child(_serve, socket.socket(fileno=slot), confinement)
        ends.register(pidfd, select.POLLIN)
    for slot in slots:
        os.close(slot)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # strays come to the first process of a namespace, to be reaped
    ends.poll()
    os._exit(0)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def _serve(control: socket.socket, confinement: Confinement) -> None:
    control.send(b"ready")
    while True:
        data, fds, _, _ = socket.recv_fds(control, 64, len(START_FDS))
        if not data:
            return
        done = _run(Start.unpack(data), dict(zip(START_FDS, fds, strict=True)), control, confinement)
        control.send(done.pack())


def _run(start: Start, fds: dict[str, int], control: socket.socket, confinement: Confinement) -> Done:
    """One run from fork to the end of everything that it started."""
    started = time.monotonic()
    judge_end, candidate_end = socket.socketpair()
    candidate_pid, candidate_fd = namespaces.spawn(namespaces.CANDIDATE_NAMESPACES)
    if candidate_pid == 0:
        _as_child(candidate.main, candidate_end.fileno(), fds["program"], fds["output"], confinement)
    judge_pid, judge_fd = namespaces.spawn()
    if judge_pid == 0:
        for fd in (fds["program"], fds["output"], candidate_fd, control.fileno()):
            os.close(fd)
        candidate_end.close()
        _as_child(judge.main, judge_end, fds["tests"], fds["verdict"])
    judge_end.close()
    candidate_end.close()
    for fd in fds.values():
        os.close(fd)

    timed_out = not _ended(judge_fd, start.timeout_s - (time.monotonic() - started))
    if timed_out:
        signal.pidfd_send_signal(judge_fd, signal.SIGKILL)
    _, judge_status = os.waitpid(judge_pid, 0)
    # A candidate that is about to be gone is let go, for its own exit status.
    aborted = not timed_out and os.waitstatus_to_exitcode(judge_status) == judge.ABORTED
    killed = not (aborted and _ended(candidate_fd, _EXIT_GRACE_S))
    if killed:
        signal.pidfd_send_signal(candidate_fd, signal.SIGKILL)
    _, candidate_status, usage = os.wait4(candidate_pid, 0)  # the kernel waits for the whole PID namespace
    wall_s = time.monotonic() - started
    os.close(candidate_fd)
    os.close(judge_fd)
    cpu_s = usage.ru_utime + usage.ru_stime
    return Done(start.run, timed_out, killed, candidate_status, judge_status, wall_s, cpu_s, usage.ru_maxrss)


def _as_child(body: Any, *arguments: Any) -> None:
    try:
        body(*arguments)
    except BaseException as error:  # noqa: BLE001 - the end of a process: said in the log, or in a candidate's output
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)


def _ended(pidfd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(seconds, 0.0) * 1000))
