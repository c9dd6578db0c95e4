"""Starts the fork server as one of the tiers has it, and ends it.

Fails closed: without isolation nothing runs (SandboxUnavailable).
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from itertools import chain

from cetd.config import SandboxConfig
from cetd.sandbox.boot import Launch, hand_over
from cetd.sandbox.cgroups import CONTROLLERS, Bounds, Group, make_groups
from cetd.sandbox.root import SandboxUnavailable

# Joins a control group through descriptors (see Group.open_doors), and is the command then, with all it will start.
_ENTER = 'while [ "$1" != -- ]; do echo 0 > "/proc/self/fd/$1"; shift; done; shift; exec "$@"'
_START_S = 30.0
_STOP_S = 5.0
_LOG_BYTES = 1 << 20


class ServerFailedError(SandboxUnavailable):
    """The server was started and ended, or was not ready in time: what it was to do is not permitted here."""


class ServerProcess:
    """A running fork server and one control socket per slot; ends with this process at the latest.

    Once it was stopped, ``last_words`` is the last line that it or what started it wrote, if any;
    ``group_of_all`` says whether one control group holds all slots.

    Raises:
        ServerFailedError: it did not get ready.
        SandboxUnavailable: there are no control groups to be had and ``limits`` ask for them.
    """

    def __init__(self, limits: SandboxConfig, launch: Launch) -> None:
        self._base = launch.base
        self.group_of_all = launch.group_of_all is not None
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(limits.slots)]
        self.slots = [ours for ours, _ in pairs]
        self.groups = self._make_groups(limits, launch)
        if limits.isolation == "cgroups":
            self._demand_groups()
        self._lifeline, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = os.memfd_create("log")
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self.last_words = ""
        started = threading.Event()
        # --die-with-parent means the thread that started it, so that thread has to live as long.
        arguments = (launch, theirs, started)
        self._keeper = threading.Thread(target=self._keep, args=arguments, name="sandbox server", daemon=True)
        self._keeper.start()
        started.wait()
        theirs.close()
        self._await_ready(limits, launch, [end for _, end in pairs])

    @property
    def pid(self) -> int:
        """The process id of the server, or of what takes it along when it ends."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End the server and everything in it; returns when it is gone. Closing ``slots`` is their users' part."""
        if self._process is not None:
            self._process.kill()
        self._keeper.join()
        self._lifeline.settimeout(_STOP_S)
        with contextlib.suppress(ConnectionResetError):  # it has not read all that it was sent
            self._lifeline.recv(1)  # the end of the stream: every process of the server has let go of it
        self._lifeline.close()
        self._remove_groups()
        if self._base:
            self._base.remove()
        lines = os.pread(self._log, _LOG_BYTES, 0).decode(errors="replace").strip().splitlines()
        self.last_words = lines[-1] if lines else ""
        os.close(self._log)

    def _make_groups(self, limits: SandboxConfig, launch: Launch) -> dict[socket.socket, Group]:
        """The control group of each slot, which may be one for all of them."""
        if launch.group_of_all:
            return dict.fromkeys(self.slots, *make_groups(1, launch.group_of_all))
        bounds = Bounds(limits.memory_mb, limits.processes)
        return dict(zip(self.slots, make_groups(limits.slots, bounds), strict=True))

    def _remove_groups(self) -> None:
        for group in set(self.groups.values()):
            group.remove()

    def _demand_groups(self) -> None:
        for group in self.groups.values():
            if missing := [name for name in CONTROLLERS if name not in group.controllers]:
                self._remove_groups()
                if self._base:
                    self._base.remove()
                raise SandboxUnavailable(
                    f"isolation=cgroups: no control group with {', '.join(missing)} can be made here; run as a user "
                    "who may write to /sys/fs/cgroup, or ask for isolation=namespaces, which bounds each process alone"
                )

    def _keep(self, launch: Launch, line: socket.socket, started: threading.Event) -> None:
        doors = next(iter(self.groups.values())).open_doors() if launch.group_of_all else []
        entering = ["/bin/sh", "-c", _ENTER, "sh", *map(str, doors), "--"] if doors else []
        try:
            self._process = subprocess.Popen(
                [*entering, *launch.command],
                env=launch.environment,
                pass_fds=doors,
                cwd="/",
                stdin=line.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._failure = error
        finally:
            for door in doors:
                os.close(door)
            started.set()
        if self._process is not None:
            self._process.wait()
            self._lifeline.shutdown(socket.SHUT_WR)

    def _await_ready(self, limits: SandboxConfig, launch: Launch, inside: list[socket.socket]) -> None:
        try:
            if self._failure is not None:
                raise self._failure
            self._lifeline.settimeout(_START_S)
            self._hand_over(limits, launch, inside)
            for slot in self.slots:
                slot.settimeout(_START_S)
                if slot.recv(16) != b"ready":
                    raise OSError("the server ended while it started")
                slot.settimeout(None)
        except OSError as error:
            for end in (*self.slots, *inside):
                end.close()
            self.stop()
            raise ServerFailedError(self.last_words or str(error)) from None

    def _hand_over(self, limits: SandboxConfig, launch: Launch, inside: list[socket.socket]) -> None:
        doors = [[] if launch.group_of_all else self.groups[slot].open_doors() for slot in self.slots]
        config = limits.model_dump(include={"cpu_s", "memory_mb", "processes", "file_mb"})
        config["confinement"] = launch.confinement
        try:
            slots = [[end.fileno(), *own] for end, own in zip(inside, doors, strict=True)]
            hand_over(self._lifeline, config, slots)
        finally:
            for fd in chain(*doors):
                os.close(fd)
            for end in inside:
                end.close()
