"""Starts the fork server as one of the tiers has it, and gives it its code, through a descriptor.

Fails closed: without isolation nothing runs (SandboxUnavailable).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from cetd.config import SandboxConfig
from cetd.sandbox.cgroups import CONTROLLERS, Bounds, make_groups
from cetd.sandbox.root import SandboxUnavailable
from cetd.sandbox.tiers import Launch

# The code of the server in the order of its imports; standard library only.
_INSIDE = (
    "encoding",
    "protocol",
    "process",
    "processors",
    "seccomp",
    "namespaces",
    "landlock",
    "rooms",
    "confinement",
    "sources",
    "exports",
    "answers",
    "candidate",
    "remote_objects",
    "special_methods",
    "proxies",
    "kinds",
    "remote",
    "program_modules",
    "results",
    "script_runner",
    "pytest_runner",
    "judge",
    "slot",
    "server",
)
# No installed packages, nothing written; and what all forks copy is kept small, here and by what follows.
_OPTIONS = ("-P", "-s", "-S", "-B", "-X", "utf8", "-X", "no_debug_ranges")
# Compiles the modules, and starts over with the code alone: what compiling leaves behind would lie between all else.
_BOOT = """
import marshal, os, sys, types
if sys.argv[2] == "text":
    import json
    with open(int(sys.argv[1]), encoding="utf-8") as file:
        bundle = json.load(file)
    codes = [(name, compile(text, f"<{name}>", "exec", dont_inherit=True)) for name, text in bundle["modules"]]
    fd = os.memfd_create("bundle", 0)
    with open(os.dup(fd), "wb") as file:
        marshal.dump((codes, bundle["config"]), file)
    os.lseek(fd, 0, os.SEEK_SET)
    os.execv(sys.executable, [*sys.orig_argv[:-2], str(fd), "code"])
with open(int(sys.argv[1]), "rb") as file:
    codes, config = marshal.load(file)
for package in ("cetd", "cetd.sandbox"):
    sys.modules[package] = types.ModuleType(package)
for name, code in codes:
    module = sys.modules["cetd.sandbox." + name] = types.ModuleType("cetd.sandbox." + name)
    setattr(sys.modules["cetd.sandbox"], name, module)
    exec(code, module.__dict__)
del codes, code
sys.modules["cetd.sandbox.server"].main(config)
"""
_START_S = 30.0
_STOP_S = 5.0
_LOG_BYTES = 1 << 20


def _bundle(limits: SandboxConfig, launch: Launch, slots: list[int], doors: list[list[int]], lifeline: int) -> bytes:
    here = Path(__file__).parent
    modules = [(name, (here / f"{name}.py").read_text(encoding="utf-8")) for name in _INSIDE]
    config = limits.model_dump(include={"cpu_s", "memory_mb", "processes", "file_mb"})
    config |= {"slots": slots, "doors": doors, "lifeline": lifeline, "landlock": launch.landlock}
    return json.dumps({"modules": modules, "config": config}).encode()


def _memory_file(name: str, data: bytes = b"") -> int:
    fd = os.memfd_create(name)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class ServerFailedError(SandboxUnavailable):
    """The server was started and ended, or was not ready in time: what it was to do is not permitted here."""


class ServerProcess:
    """A running fork server and one control socket per slot; ends with this process at the latest.

    Once it was stopped, ``last_words`` is the last line that bubblewrap or the server wrote, if any.

    Raises:
        ServerFailedError: it did not get ready.
        SandboxUnavailable: there are no control groups to be had and ``limits`` ask for them.
    """

    def __init__(self, limits: SandboxConfig, launch: Launch) -> None:
        self._base = launch.base
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(limits.slots)]
        self.slots = [ours for ours, _ in pairs]
        bounds = Bounds(limits.memory_mb, limits.processes)
        self.groups = dict(zip(self.slots, make_groups(limits.slots, bounds), strict=True))
        if limits.isolation == "cgroups":
            self._demand_groups()
        self._lifeline, theirs = socket.socketpair()
        inside = [theirs, *(socket for _, socket in pairs)]
        lifeline, *slots = (socket.fileno() for socket in inside)
        doors = [group.open_doors() for group in self.groups.values()]
        bundle = _memory_file("bundle", _bundle(limits, launch, slots, doors, lifeline))
        self._log = os.memfd_create("log")
        command = [
            *launch.command,
            "-P",
            "-s",
            "-S",
            "-B",
            "-X",
            "utf8",
            "-X",
            "no_debug_ranges",
            "-c",
            _BOOT,
            str(bundle),
            "text",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self.last_words = ""
        started = threading.Event()
        inherited = [lifeline, *slots, *chain(*doors), bundle]
        # --die-with-parent means the thread that started it, so that thread has to live as long.
        arguments = (command, launch.environment, inherited, started)
        self._keeper = threading.Thread(target=self._keep, args=arguments, name="sandbox server", daemon=True)
        self._keeper.start()
        started.wait()
        for fd in (bundle, *chain(*doors)):
            os.close(fd)
        for end in inside:
            end.close()
        self._await_ready()

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
        self._lifeline.recv(1)  # the end of the stream: every process of the server has let go of it
        self._lifeline.close()
        for group in self.groups.values():
            group.remove()
        if self._base:
            self._base.remove()
        lines = os.pread(self._log, _LOG_BYTES, 0).decode(errors="replace").strip().splitlines()
        self.last_words = lines[-1] if lines else ""
        os.close(self._log)

    def _demand_groups(self) -> None:
        for group in self.groups.values():
            if missing := [name for name in CONTROLLERS if name not in group.controllers]:
                for other in self.groups.values():
                    other.remove()
                raise SandboxUnavailable(
                    f"isolation=cgroups: no control group with {', '.join(missing)} can be made here; run as a user "
                    "who may write to /sys/fs/cgroup, or ask for isolation=namespaces, which bounds each process alone"
                )

    def _keep(
        self, command: list[str], environment: Mapping[str, str] | None, fds: list[int], started: threading.Event
    ) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                pass_fds=fds,
                start_new_session=True,
            )
        except OSError as error:
            self._failure = error
        finally:
            started.set()
        if self._process is not None:
            self._process.wait()
            self._lifeline.shutdown(socket.SHUT_WR)

    def _await_ready(self) -> None:
        try:
            if self._failure is not None:
                raise self._failure
            for slot in self.slots:
                slot.settimeout(_START_S)
                if slot.recv(16) != b"ready":
                    raise OSError("the server ended while it started")
                slot.settimeout(None)
        except OSError as error:
            for slot in self.slots:
                slot.close()
            self.stop()
            raise ServerFailedError(self.last_words or str(error)) from None
