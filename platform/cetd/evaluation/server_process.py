"""A server as a process of its own: started, waited for, weighed, and ended with all that it has started."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from cetd.errors import InfrastructureError

_POLL_S = 0.1
_PATIENCE_S = 300.0
# For ending by itself; what is left then is killed.
_GRACE_S = 20.0
_WEIGHED_EVERY_S = 2.0
# Above Ray's workers, below Serve's replicas and what Linux hands out (ip_local_port_range).
_PORTS, _TRIES = range(20_000, 30_000), 100


@dataclass(frozen=True)
class Server:
    """How to start a server and where it answers.

    ``ready`` is a path that answers 200 once requests may come; ``environment`` is added to this process's own; what
    the server prints goes to ``log``.
    """

    name: str
    command: tuple[str, ...]
    url: str
    ready: str
    log: Path
    folder: Path = Path()
    environment: Mapping[str, str] = field(default_factory=dict)


class Usage:
    """Memory and processor time of a process and all below it; its memory is weighed by a thread now and then.

    Memory is what is resident: pages that processes share count once in each.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._stop = threading.Event()
        self.peak = self.now()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def now(self) -> int:
        """Bytes."""
        return sum(map(_resident, tree(self._process)))

    def processor_s(self) -> dict[str, float]:
        """Seconds of processor time that were used, by title of process; those that have ended left no figure."""
        seconds: dict[str, float] = {}
        for process in tree(self._process):
            try:
                times, title = process.cpu_times(), (process.cmdline() or [process.name()])[0]
            except psutil.Error:  # ended meanwhile
                continue
            name = title.rpartition("/")[2]
            seconds[name] = seconds.get(name, 0.0) + times.user + times.system
        return seconds

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_WEIGHED_EVERY_S):
            self.peak = max(self.peak, self.now())


@contextmanager
def running(server: Server) -> Iterator[Usage]:
    """The server, from when it is ready; at the end nothing that it has started is left.

    Raises:
        InfrastructureError: it has ended, or is not ready in time; the line names its log.
    """
    server.log.parent.mkdir(parents=True, exist_ok=True)
    with server.log.open("wb") as log:
        started = subprocess.Popen(
            server.command,
            cwd=server.folder,
            env={**os.environ, **server.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt is ours; the server is ended below
        )
    process = psutil.Process(started.pid)
    try:
        _wait(server, started)
        with closing(Usage(process)) as usage:
            yield usage
    finally:
        below = tree(process)
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(_GRACE_S)
        for left in psutil.wait_procs(below, timeout=_POLL_S)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        psutil.wait_procs(below, timeout=_GRACE_S)
        started.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on, nor is given one by chance: the system hands out those above."""
    for port in random.Random().sample(_PORTS, _TRIES):
        with closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise InfrastructureError(f"of {_TRIES} ports from {_PORTS[0]} to {_PORTS[-1]} none is free")


def tree(process: psutil.Process) -> list[psutil.Process]:
    """The process and all below it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # ended meanwhile
        return 0


def _wait(server: Server, started: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not _answers(server.url + server.ready):
        if started.poll() is not None:
            said = server.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise InfrastructureError(
                f"{server.name} has ended with status {started.returncode}: {said[-1] if said else 'it said nothing'}; "
                f"see {server.log}"
            )
        if time.monotonic() > until:
            raise InfrastructureError(f"{server.name} is not ready after {_PATIENCE_S:.0f} s: see {server.log}")
        time.sleep(_POLL_S)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=_GRACE_S) as answer:
            return answer.status == 200
    except (URLError, OSError, http.client.HTTPException):
        return False
