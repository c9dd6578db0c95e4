"""Starts the fork server under bubblewrap: which files it sees, which arguments isolate it, what code it is given.

Its root is empty but for read-only binds of what the base Python needs: executable, standard library without installed
packages, the shared libraries that these load, and four devices. Neither the project nor a home folder is there; the
server's own code arrives through a descriptor. Fails closed: without isolation nothing runs (SandboxUnavailable).
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from cetd.config import SandboxConfig
from cetd.errors import InfrastructureError
from cetd.sandbox.cgroups import CONTROLLERS, Bounds, make_groups
from cetd.sandbox.namespaces import FILES
from cetd.sandbox.packages import JUDGES, entries
from cetd.sandbox.pytest_runner import JUDGING
from cetd.sandbox.server import PACKAGES

# The code of the server in the order of its imports; standard library only.
_INSIDE = (
    "encoding",
    "protocol",
    "seccomp",
    "namespaces",
    "sources",
    "exports",
    "answers",
    "candidate",
    "proxies",
    "remote",
    "results",
    "script_runner",
    "pytest_runner",
    "judge",
    "slot",
    "server",
)
_BOOT = """
import json, sys, types
with open(int(sys.argv[1]), encoding="utf-8") as file:
    bundle = json.load(file)
for package in ("cetd", "cetd.sandbox"):
    sys.modules[package] = types.ModuleType(package)
for name, text in bundle["modules"]:
    module = sys.modules["cetd.sandbox." + name] = types.ModuleType("cetd.sandbox." + name)
    setattr(sys.modules["cetd.sandbox"], name, module)
    exec(compile(text, f"<{name}>", "exec", dont_inherit=True), module.__dict__)
sys.modules["cetd.sandbox.server"].main(bundle["config"])
"""
# Run by the Python that will serve: prints what it needs to run anywhere.
_PROBE = """
import ctypes, importlib, json, os, sys
folders = [path for path in sys.path if os.path.isdir(path)]
skip = ("_test", "_xx", "xx", "_tkinter", "readline", "_curses", "_gdbm", "_dbm", "nis")
for folder in folders:
    for file in os.listdir(folder):
        if file.endswith(".so") and not file.startswith(skip):
            try:
                importlib.import_module(file.partition(".")[0])
            except ImportError:  # its library is not installed here, so no program can have it either
                continue
for package in sys.argv[1:]:
    for folder, _, files in os.walk(package):
        for file in files:
            if ".so" in file:
                try:
                    ctypes.CDLL(os.path.join(folder, file))
                except OSError:  # finds its libraries only once its package is imported, or is for another machine
                    continue
libraries = []
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
def visit(info, size, data):
    name = ctypes.cast(info + ctypes.sizeof(ctypes.c_void_p), ctypes.POINTER(ctypes.c_char_p))[0]
    if name and name.startswith(b"/"):
        libraries.append(os.fsdecode(name))
    return 0
ctypes.CDLL(None).dl_iterate_phdr(visit, None)
print(json.dumps({"executable": os.path.realpath(sys.executable), "folders": folders, "libraries": libraries}))
"""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
REMEDY = (
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0, "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp profile that permits them)"
)
_START_S = 30.0
_STOP_S = 5.0
_LOG_BYTES = 1 << 20


class SandboxUnavailable(InfrastructureError):  # noqa: N818 - named for what is the case, as the callers' messages read
    """This machine does not let programs be isolated; the message says what to install or enable."""


@dataclass(frozen=True)
class PythonFiles:
    """What a Python needs to run: its real executable, standard library folders, and shared libraries as loaded."""

    executable: str
    folders: tuple[str, ...]
    libraries: tuple[str, ...]


@functools.cache
def python_files(python: str, packages: tuple[str, ...] = ()) -> PythonFiles:
    """Ask ``python`` what it needs, and what the compiled modules in folders of ``packages`` need.

    Raises:
        SandboxUnavailable: it does not run.
    """
    try:
        command = [python, "-I", "-S", "-c", _PROBE, *packages]
        probe = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        raise SandboxUnavailable(f"python={python}: does not run: {detail.strip()}") from None
    found = json.loads(probe.stdout)
    folders = tuple(found["folders"])
    libraries = (name for name in found["libraries"] if not name.startswith((*folders, *packages)))
    return PythonFiles(found["executable"], folders, tuple(dict.fromkeys(libraries)))


def base_python() -> str:
    """The interpreter below any virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def arguments(bwrap: str, files: PythonFiles, packages: Mapping[str, str], *, root: bool) -> list[str]:
    """The bubblewrap command line up to the command; ``packages`` are shown too (place inside -> path here).

    As real root the user namespace is made by the server, once it has left root: bubblewrap would map root into it,
    and root is exempt from the limit on processes.
    """
    command = [bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if root:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    command += ["--new-session", "--die-with-parent", "--as-pid-1", "--hostname", "sandbox", "--chdir", "/"]
    # Parents that bubblewrap makes unasked are for their owner only, and the server does not stay the owner.
    shown = (files.executable, *files.folders, *files.libraries, *_DEVICES)
    parents = {str(parent) for path in shown for parent in Path(path).parents}
    for path in sorted(parents - {"/", *files.folders}):
        command += ["--dir", path]
    for path in files.folders:
        command += ["--ro-bind", path, path]
        for installed in ("site-packages", "dist-packages"):
            hidden = os.path.join(path, installed)
            if os.path.isdir(hidden):
                command += ["--tmpfs", hidden, "--remount-ro", hidden]
    for path in (files.executable, *files.libraries):
        command += ["--ro-bind", os.path.realpath(path), path]
    for folder in (PACKAGES, JUDGING):
        command += ["--dir", folder]
    for place, path in packages.items():
        command += ["--ro-bind", path, place]
    for path in _DEVICES:
        command += ["--dev-bind", path, path]
    command += ["--proc", "/proc", "--dir", "/tmp", "--dir", FILES, "--remount-ro", "/", "--clearenv"]
    environment = {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": ":".join(dict.fromkeys(os.path.dirname(path) for path in files.libraries)),
        "MALLOC_ARENA_MAX": "1",  # an arena per thread would use up the address space that a program may map
        "OMP_NUM_THREADS": "1",  # numeric libraries would make a thread per core, and count as processes
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",  # the same program orders its sets in the same way in every run
    }
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return command


def _bundle(limits: SandboxConfig, slots: list[int], doors: list[list[int]], lifeline: int) -> bytes:
    here = Path(__file__).parent
    modules = [(name, (here / f"{name}.py").read_text(encoding="utf-8")) for name in _INSIDE]
    config = limits.model_dump(include={"cpu_s", "memory_mb", "processes", "file_mb"})
    config |= {"slots": slots, "doors": doors, "lifeline": lifeline}
    return json.dumps({"modules": modules, "config": config}).encode()


def _memory_file(name: str, data: bytes = b"") -> int:
    fd = os.memfd_create(name)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class ServerProcess:
    """A running fork server and one control socket per slot; ends with this process at the latest.

    Once it was stopped, ``last_words`` is the last line that bubblewrap or the server wrote, if any.

    Raises:
        SandboxUnavailable: bubblewrap is missing, or may not make namespaces here; or the least isolation that
            ``limits`` ask for cannot be had.
    """

    def __init__(self, limits: SandboxConfig, python: str, requirements: Sequence[str]) -> None:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SandboxUnavailable("bubblewrap is not installed: install the package that has bwrap (bubblewrap)")
        packages = {f"{PACKAGES}/{name}": path for name, path in entries(tuple(requirements)).items()}
        packages |= {f"{JUDGING}/{name}": path for name, path in entries(JUDGES).items()}
        files = python_files(python, tuple(packages.values()))
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
        bundle, self._log = _memory_file("bundle", _bundle(limits, slots, doors, lifeline)), os.memfd_create("log")
        command = arguments(bwrap, files, packages, root=os.geteuid() == 0)
        command += [files.executable, "-P", "-s", "-S", "-B", "-X", "utf8", "-c", _BOOT, str(bundle)]
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self.last_words = ""
        started = threading.Event()
        inherited = [lifeline, *slots, *chain(*doors), bundle]
        # --die-with-parent means the thread that started it, so that thread has to live as long.
        self._keeper = threading.Thread(
            target=self._keep, args=(command, inherited, started), name="sandbox server", daemon=True
        )
        self._keeper.start()
        started.wait()
        for fd in (bundle, *chain(*doors)):
            os.close(fd)
        for end in inside:
            end.close()
        self._await_ready()

    @property
    def pid(self) -> int:
        """The process id of bubblewrap, which takes the server along when it ends."""
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

    def _keep(self, command: list[str], fds: list[int], started: threading.Event) -> None:
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log, pass_fds=fds
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
            said = self.last_words or str(error)
            raise SandboxUnavailable(f"programs cannot be isolated here: {said}; {REMEDY}") from None
