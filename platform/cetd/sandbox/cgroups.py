"""A control group per slot: memory, processes and processor time of a whole run, where this machine lets us have one.

Resource limits count per process; a group counts a slot with its judge, its candidate and all that one starts. A slot
joins its group once, through descriptors opened here, and what it forks is born there: to move each run would cost more
than the run. What the kernel ends in a group for want of memory is counted, so that it is known whose fault an end was.
Version 1 hierarchies and version 2 alike.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CONTROLLERS = ("memory", "pids", "cpu")
_PREFIX = "cetd-sandbox"
_PERIOD_US = 100_000
_OWN_MB = 32  # what a slot and its judges take beside the tests
_OWN_PROCESSES = 8
_LEAVE_S = 1.0
_ENDS_BYTES = 4096
_counter = itertools.count()


@dataclass(frozen=True)
class Bounds:
    """What a run may use in all: MiB, processes and threads, and processors."""

    memory_mb: int
    processes: int
    cpus: float = 1.0

    def files(self, version: int) -> Mapping[str, Mapping[str, str]]:
        """By controller, what is written into which file of a group."""
        # The judge has as much for the tests as the program has for itself.
        memory = str((2 * self.memory_mb + _OWN_MB) << 20)
        quota = str(int(self.cpus * _PERIOD_US))
        if version == 1:
            cpu = {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": quota}
            memory_files = {"memory.limit_in_bytes": memory}
        else:
            cpu, memory_files = {"cpu.max": f"{quota} {_PERIOD_US}"}, {"memory.max": memory, "memory.swap.max": "0"}
        return {"memory": memory_files, "pids": {"pids.max": str(self.processes + _OWN_PROCESSES)}, "cpu": cpu}


class Group:
    """The group of one slot: a folder for each hierarchy that has a controller of ours."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.controllers = tuple(folders)
        self._folders = folders
        self._ends = _open_ends(folders["memory"]) if "memory" in folders else None
        if self._ends is not None:
            weakref.finalize(self, os.close, self._ends)

    def open_doors(self) -> list[int]:
        """Descriptors through which a process joins, by writing 0 into each; the caller closes them."""
        return [os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for folder in set(self._folders.values())]

    def killed(self) -> int:
        """Processes of the group that the kernel has ended for want of memory."""
        if self._ends is None:
            return 0
        try:
            lines = os.pread(self._ends, _ENDS_BYTES, 0).splitlines()
        except OSError:  # given back: the server has ended
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith(b"oom_kill ")), 0)

    def remove(self) -> None:
        """Give the group back; its processes are ending. One that does not end leaves it to the next sandbox."""
        until = time.monotonic() + _LEAVE_S
        for folder in set(self._folders.values()):
            while not _removed(folder) and time.monotonic() < until:
                time.sleep(0.005)  # the kernel says nothing when the last process has left


def _open_ends(folder: Path) -> int:
    """Where the kernel counts what it has ended."""
    events = folder / "memory.events"
    return os.open(events if events.exists() else folder / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)


def make_groups(count: int, bounds: Bounds) -> list[Group]:
    """One group per slot with every controller that can be had; without any where none can."""
    places = dict(_places())
    for place in {folder for _, folder in places.values()}:
        _remove_abandoned(place)
    return [_make_group(places, bounds) for _ in range(count)]


def _make_group(places: Mapping[str, tuple[int, Path]], bounds: Bounds) -> Group:
    name = f"{_PREFIX}-{os.getpid()}-{next(_counter)}"
    folders: dict[str, Path] = {}
    for controller, (version, place) in places.items():
        folder = place / name
        try:
            folder.mkdir(exist_ok=True)
            for file, value in bounds.files(version)[controller].items():
                if (folder / file).exists() or file != "memory.swap.max":
                    (folder / file).write_text(value)
            os.close(os.open(folder / "cgroup.procs", os.O_WRONLY))
        except OSError:  # not ours to have: said in the log by its absence
            if folder not in folders.values():
                with contextlib.suppress(OSError):
                    folder.rmdir()
            continue
        folders[controller] = folder
    return Group({name: folders[name] for name in CONTROLLERS if name in folders})


def _places() -> Iterator[tuple[str, tuple[int, Path]]]:
    """By controller, the version of its hierarchy and the folder that new groups go into."""
    own = _own_paths()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        mount = Path(before.split()[4])
        if kind == "cgroup2":
            for place in (mount / own.get("", "").lstrip("/"), mount):
                if enabled := _enable(place):
                    yield from ((controller, (2, place)) for controller in enabled)
                    break
        elif kind == "cgroup":
            for controller in set(CONTROLLERS).intersection(options.split()[-1].split(",")):
                inside = mount / own.get(controller, "").lstrip("/")
                yield controller, (1, inside if os.access(inside, os.W_OK) else mount)


def _own_paths() -> dict[str, str]:
    """By controller (empty: version 2), the group that this process is in."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    return {controller: path for _, controllers, path in lines for controller in controllers.split(",")}


def _enable(place: Path) -> list[str]:
    """Controllers that groups in ``place`` of a version 2 hierarchy have, after asking for ours."""
    control = place / "cgroup.subtree_control"
    for controller in CONTROLLERS:
        with contextlib.suppress(OSError):  # a group with processes of its own, or not ours
            control.write_text(f"+{controller}")
    try:
        return [controller for controller in control.read_text().split() if controller in CONTROLLERS]
    except OSError:
        return []


def _remove_abandoned(place: Path) -> None:
    """Groups of processes that were killed before they could give them back."""
    for folder in place.glob(f"{_PREFIX}-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            _removed(folder)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # busy
        return False
    return True
