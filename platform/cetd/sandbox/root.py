"""What a sandbox's root shows, and the bubblewrap command that makes it.

The root is empty but for read-only binds of what the base Python needs (executable, standard library without installed
packages, the shared libraries that these load), of packages that are asked for, and four devices. Neither the project
nor a home folder is there.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cetd.errors import InfrastructureError
from cetd.sandbox.namespaces import FILES
from cetd.sandbox.packages import JUDGES, entries
from cetd.sandbox.pytest_runner import JUDGING
from cetd.sandbox.server import PACKAGES

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


def shown_packages(requirements: tuple[str, ...]) -> dict[str, str]:
    """Place inside -> path here of what apps require and of what judges load.

    Raises:
        ValueError: a requirement is not met.
    """
    places = {PACKAGES: requirements, JUDGING: JUDGES}
    return {f"{place}/{name}": path for place, wanted in places.items() for name, path in entries(wanted).items()}


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
