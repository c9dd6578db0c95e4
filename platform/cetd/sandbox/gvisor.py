"""gVisor: a bundle, as the Open Container Initiative's runtime specification has it, that runsc runs a server in.

What is shown of this machine is what the namespaces tier shows, read-only, and once more below a root for each slot's
candidates; there is no network. The bundle and runsc's own state lie in a base folder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cetd.config import SandboxConfig
from cetd.sandbox.bases import Base
from cetd.sandbox.boot import ARGUMENTS, Launch
from cetd.sandbox.cgroups import Bounds
from cetd.sandbox.confinement import UNPRIVILEGED_UID
from cetd.sandbox.guest import CAPABILITIES, GROUPS, ROOMS, ROOTS
from cetd.sandbox.packages import shown_packages
from cetd.sandbox.process import SIGNALS
from cetd.sandbox.root import PythonFiles, SandboxUnavailable, python_files

# What gVisor itself takes: its kernel's memory in MiB, its threads, and the threads of this machine that it has for
# each process inside. It has a processor beside those of the runs.
_OWN_MB, _OWN_THREADS, _THREADS_EACH = 256, 1024, 128
# The server's descriptors, and what no process can limit inside (see process.set_limits).
_LIMITS = {"NOFILE": 1024, "SIGPENDING": SIGNALS, "MSGQUEUE": 0, "RTPRIO": 0, "NICE": 0}
_READ_ONLY = ("ro", "nosuid", "nodev")


def by_gvisor(python: str, requirements: tuple[str, ...], limits: SandboxConfig) -> Launch:
    """A server under a kernel of its own.

    Raises:
        SandboxUnavailable: runsc is missing, or ``python`` does not run.
        ValueError: a requirement is not met.
    """
    runsc = shutil.which("runsc")
    if runsc is None:
        raise SandboxUnavailable(
            "gVisor is not installed: install the package that has runsc, or accept isolation=namespaces"
        )
    packages = shown_packages(requirements)
    files = python_files(python, tuple(packages.values()))
    base = Base(UNPRIVILEGED_UID)
    bundle = Path(base.path, "bundle")
    mounts = binds(files, packages, limits.slots)
    _make_root(bundle / "root", mounts)
    (bundle / "config.json").write_text(json.dumps(configuration(files, mounts)), encoding="utf-8")
    flags = ["--root", f"{base.path}/state", "--network=none", "--ignore-cgroups", "--file-access-mounts=exclusive"]
    if os.geteuid() != 0:
        flags.append("--rootless")
    command = [runsc, *flags, "run", "--bundle", str(bundle), os.path.basename(base.path)]
    return Launch(command, confinement=("gvisor", {"slots": limits.slots}), base=base, group_of_all=_bounds(limits))


def binds(files: PythonFiles, packages: Mapping[str, str], slots: int) -> list[dict[str, Any]]:
    """All mounts, those before that others are in; ``packages`` are shown too (place inside -> path here)."""
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"}, _empty(ROOMS, "mode=1777")]
    sources = {path: os.path.realpath(path) for path in (*files.folders, files.executable, *files.libraries)}
    sources |= packages
    for root in ("", *(f"{ROOTS}/{slot}" for slot in range(slots))):
        for place, path in sources.items():
            if not any(place.startswith(f"{folder}/") for folder in files.folders):
                mounts.append({"destination": root + place, "type": "bind", "source": path, "options": _READ_ONLY})
        mounts += [_empty(root + hidden, "ro") for hidden in files.installed()]
        if root:
            mounts.append(_empty(f"{root}/dev", "mode=0755"))
    return mounts


def configuration(files: PythonFiles, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    """What runsc is told: what to run, and what it finds."""
    kinds = ("bounding", "effective", "permitted", "inheritable")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},  # of gVisor's, and only until the server has set up its roots
            "args": [files.executable, *ARGUMENTS],
            "env": [f"{name}={value}" for name, value in files.environment().items()],
            "cwd": "/",
            "capabilities": dict.fromkeys(kinds, CAPABILITIES),
            "rlimits": [{"type": f"RLIMIT_{name}", "hard": value, "soft": value} for name, value in _LIMITS.items()],
        },
        "root": {"path": "root", "readonly": True},
        "hostname": "sandbox",
        "mounts": mounts,
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }


def _empty(place: str, *options: str) -> dict[str, Any]:
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", *options]}


def _make_root(root: Path, mounts: Iterable[Mapping[str, Any]]) -> None:
    """An empty root with a place for each mount."""
    before = os.umask(0o022)
    try:
        for mount in mounts:
            place = root / mount["destination"].lstrip("/")
            is_file = mount["type"] == "bind" and os.path.isfile(mount["source"])
            (place.parent if is_file else place).mkdir(parents=True, exist_ok=True)
            if is_file:
                place.touch()
        for slot_root in (root / ROOTS.lstrip("/")).iterdir():
            for name in ("tmp", "proc"):
                (slot_root / name).mkdir()
        (root / GROUPS.lstrip("/")).mkdir()
    finally:
        os.umask(before)


def _bounds(limits: SandboxConfig) -> Bounds:
    """Of all runs and gVisor together: this machine sees no processes of a single run."""
    runs = Bounds(limits.memory_mb, limits.processes)
    processes = limits.slots * _THREADS_EACH * (runs.processes + 8) + _OWN_THREADS
    return Bounds(limits.slots * limits.memory_mb + _OWN_MB // 2, processes, limits.slots + 1.0)
