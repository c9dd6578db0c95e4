"""How candidates and judges are locked in: by namespaces, or by Landlock where there are none to be had; see guest.

Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import itertools
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cetd.sandbox import namespaces, process, rooms
from cetd.sandbox.landlock import Landlock
from cetd.sandbox.seccomp import Filter

UNPRIVILEGED_UID = 65534
JUDGE_MB = 64
_ENTRIES_AT_ONCE, _REMOVERS = 200, 8
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class Limits(NamedTuple):
    """What one process may use; a candidate's processes count together."""

    cpu_s: int
    address_bytes: int
    processes: int
    file_mb: int


class Confinement(ABC):
    """A way to lock processes in.

    The server enters it once; a room is a folder that a process has to itself; candidates, judges and, once more, the
    processes that a judge forks for tests lock themselves in.
    """

    # Flags of clone for a new process of each kind.
    candidate_namespaces = 0
    judge_namespaces = 0
    # Where installed distributions are found: those that apps require, and those that only judges load.
    packages = namespaces.PACKAGES
    judging = namespaces.JUDGING

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slot = 0

    def serve(self, slot: int) -> None:
        """Be in the process of ``slot``."""
        self._slot = slot

    @abstractmethod
    def make_room(self, *, judging: bool) -> str:
        """A folder for one process.

        Raises:
            OSError: there is no room for it.
        """

    @abstractmethod
    def remove_room(self, room: str) -> None:
        """Remove what a process has left in its room; nothing of it is running any more."""

    @abstractmethod
    def hide_files(self, room: str, *, judging: bool) -> None:
        """Before a process closes its descriptors: nothing but ``room`` and what all may read can be opened any more.

        Raises:
            OSError: the kernel refused.
        """

    @abstractmethod
    def lock_in_candidate(self, files: Mapping[str, bytes]) -> None:
        """Be a candidate that finds an app's own ``files``, for good.

        Raises:
            OSError: the kernel refused.
        """

    @abstractmethod
    def lock_in_judge(self) -> None:
        """Be a judge, for good.

        Raises:
            OSError: the kernel refused.
        """

    @abstractmethod
    def lock_in_tests(self) -> None:
        """Be the process of one run's tests, for good.

        Raises:
            OSError: the kernel refused.
        """

    @abstractmethod
    def end_strays(self) -> None:
        """In a judge: end whatever tests have started and left behind."""


class Namespaces(Confinement):
    """User, mount and PID namespaces of each process's own, and further ones that candidates get."""

    candidate_namespaces = namespaces.CANDIDATE_NAMESPACES
    judge_namespaces = namespaces.NEW_USER | namespaces.NEW_MOUNTS | namespaces.NEW_PIDS

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        if os.geteuid() == 0:
            process.become_unprivileged(UNPRIVILEGED_UID)
            namespaces.enter_own_user_namespace()
        # Those outside of the namespaces to come.
        self._uid, self._gid = os.getuid(), os.getgid()
        self._filter = Filter(os.uname().machine)

    def make_room(self, *, judging: bool) -> str:
        return "/tmp"

    def remove_room(self, room: str) -> None:
        """Nothing: it was gone with the mount namespace that it was in."""

    def hide_files(self, room: str, *, judging: bool) -> None:
        """Nothing: the root of the sandbox shows no others."""

    def lock_in_candidate(self, files: Mapping[str, bytes]) -> None:
        namespaces.map_ids(self._uid, self._gid)
        process.be_first_to_go()
        namespaces.mount_private(self._limits.file_mb)
        namespaces.mount_files(files)
        process.set_limits(self._limits.cpu_s, self._limits.address_bytes, self._limits.file_mb)
        process.limit_processes(self._limits.processes)
        process.drop_capabilities()
        self._filter.install()

    def lock_in_judge(self) -> None:
        namespaces.map_ids(self._uid, self._gid)
        namespaces.mount_private(JUDGE_MB)
        process.limit_address_space(self._limits.address_bytes)
        process.drop_capabilities()

    def lock_in_tests(self) -> None:
        """Nothing: the judge's namespaces hold them."""

    def end_strays(self) -> None:
        end_all_others()


def end_all_others() -> None:
    """In the first process of a PID namespace: end whatever else is in it."""
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)
    except (ProcessLookupError, ChildProcessError):
        return


class Landlocked(Confinement):
    """Landlock, a system call filter under which no process can be started or signalled, and resource limits.

    ``readable`` is what every process may read, ``listed`` are folders of which no more than the names are, and
    ``for_judges`` is what judges may read beside. ``base`` holds the rooms, in each of which a process may write as
    much as it likes, and folders with links to ``packages`` and to what is for judging.

    Raises:
        OSError: the kernel's Landlock is too old, or not there.
    """

    def __init__(
        self, limits: Limits, base: str, readable: Iterable[str], listed: Iterable[str], for_judges: Iterable[str]
    ) -> None:
        super().__init__(limits)
        if os.geteuid() == 0:
            process.become_unprivileged(UNPRIVILEGED_UID)
        self._base = base
        self.packages, self.judging = base + namespaces.PACKAGES, base + namespaces.JUDGING
        self._for_judges = tuple(for_judges)
        try:
            self._landlock = Landlock(readable, listed, DEVICES)
        except PermissionError as error:  # as root this is another user's, to whom root's home is closed
            raise OSError(f"{error.filename} cannot be read by the unprivileged user that programs run as") from None
        self._filter = Filter(os.uname().machine, alone=False)
        self._numbers = itertools.count()
        self._removers: list[int] = []

    def make_room(self, *, judging: bool) -> str:
        room = os.path.join(self._base, rooms.ROOMS, f"{os.getpid()}-{next(self._numbers)}")
        os.mkdir(room, 0o700)
        return room

    def remove_room(self, room: str) -> None:
        self._removers = [pid for pid in self._removers if os.waitpid(pid, os.WNOHANG)[0] == 0]
        try:
            if rooms.remove(room, _ENTRIES_AT_ONCE):
                return
        except OSError:  # what is left goes with the base
            return
        # A program can leave more than it takes the next run's time to remove.
        if len(self._removers) >= _REMOVERS:
            os.waitpid(self._removers.pop(0), 0)
        pid = process.spawn()
        if pid == 0:
            _remove_and_end(room)
        self._removers.append(pid)

    def hide_files(self, room: str, *, judging: bool) -> None:
        process.be_first_to_go()
        process.give_up_new_privileges()
        self._landlock.restrict(room, self._for_judges if judging else ())
        os.environ["HOME"] = os.environ["TMPDIR"] = room
        os.chdir(room)

    def lock_in_candidate(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        process.set_limits(self._limits.cpu_s, self._limits.address_bytes, self._limits.file_mb)
        self._filter.install()

    def lock_in_judge(self) -> None:
        process.limit_address_space(self._limits.address_bytes)

    def lock_in_tests(self) -> None:
        process.end_with_parent()
        self._filter.install()

    def end_strays(self) -> None:
        """Nothing: tests could start no process."""


def _remove_and_end(room: str) -> None:
    """Be a process that removes a room, as long as its parent lives, and holds nothing of it open."""
    try:
        process.end_with_parent()
        process.keep_only([0, 1, 2])
        rooms.remove(room)
    finally:
        os._exit(0)
