"""What a Python needs of this machine, and so what a sandbox shows of it.

That is its executable, its standard library without installed packages, and the shared libraries that these load.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cetd.errors import InfrastructureError

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
_INSTALLED = ("site-packages", "dist-packages")


class SandboxUnavailable(InfrastructureError):  # noqa: N818 - named for what is the case, as the callers' messages read
    """This machine does not let programs be isolated; the message says what to install or enable."""


@dataclass(frozen=True)
class PythonFiles:
    """What a Python needs to run: its real executable, standard library folders, and shared libraries as loaded."""

    executable: str
    folders: tuple[str, ...]
    libraries: tuple[str, ...]

    def installed(self) -> Iterator[str]:
        """Folders of installed packages, which are not to be shown."""
        for folder in self.folders:
            yield from filter(os.path.isdir, (os.path.join(folder, name) for name in _INSTALLED))

    def environment(self) -> dict[str, str]:
        """All environment variables that are set inside."""
        return {
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "LD_BIND_NOW": "1",  # once by the server, which unsets it, and not by each fork as far as that gets
            "LD_LIBRARY_PATH": ":".join(dict.fromkeys(os.path.dirname(path) for path in self.libraries)),
            "MALLOC_ARENA_MAX": "1",  # an arena per thread would use up the address space that a program may map
            "OMP_NUM_THREADS": "1",  # numeric libraries would make a thread per core, and count as processes
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",  # the same program orders its sets in the same way in every run
        }


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
