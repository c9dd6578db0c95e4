"""How candidates and judges are locked in inside gVisor.

gVisor answers system calls in the place of the machine's kernel, and has user, PID, IPC and UTS namespaces but, as late
as 2022, no mount namespaces of a process's own. So a slot mounts a run's file system where only that run's candidate
finds it: below the root that the slot's candidates change to, a second view of what the sandbox shows. A control group
of gVisor's own bounds the processes of a run. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Mapping

from cetd.sandbox import namespaces, process
from cetd.sandbox.confinement import DEVICES, JUDGE_MB, UNPRIVILEGED_UID, Confinement, Limits, end_all_others
from cetd.sandbox.process import LIBC, check
from cetd.sandbox.seccomp import Filter

# Where the bundle has folders for it: a root for the candidates of each slot, judges' rooms, gVisor's control groups.
ROOTS, ROOMS, GROUPS = "/roots", "/rooms", "/groups"
# What the server needs to be given, and what slots keep of it: to mount, and to change the root.
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_DAC_OVERRIDE")
_SYS_CHROOT, _SYS_ADMIN = 1 << 18, 1 << 21
_NAMESPACES = namespaces.NEW_USER | namespaces.NEW_PIDS
_MS_NOSUID, _MS_NODEV, _MNT_DETACH = 2, 4, 2


class Guest(Confinement):
    """User and PID namespaces of each process's own, and for candidates a root, IPC and UTS namespaces and a bound on
    processes.

    Raises:
        OSError: this gVisor lacks something of it.
    """

    candidate_namespaces = _NAMESPACES | 0x08000000 | 0x04000000  # IPC UTS
    judge_namespaces = _NAMESPACES

    def __init__(self, limits: Limits, slots: int) -> None:
        super().__init__(limits)
        check(LIBC.mount(b"cgroup", GROUPS.encode(), b"cgroup", 0, b"pids"), "mount a control group of processes")
        self._doors = [_make_group(f"{GROUPS}/{slot}", limits.processes) for slot in range(slots)]
        for slot in range(slots):
            _make_devices(f"{ROOTS}/{slot}")
        process.become_unprivileged(UNPRIVILEGED_UID, keep=_SYS_CHROOT | _SYS_ADMIN)
        self._filter = Filter(os.uname().machine)
        self._numbers = itertools.count()

    def make_room(self, *, judging: bool) -> str:
        if judging:
            room, size_mb = f"{ROOMS}/{self._slot}-{next(self._numbers)}", JUDGE_MB
            os.mkdir(room, 0o700)
        else:
            room, size_mb = f"{ROOTS}/{self._slot}/tmp", self._limits.file_mb
        options = f"size={size_mb}m,mode=1777".encode()
        check(LIBC.mount(b"tmpfs", room.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, options), "mount a room")
        return room

    def remove_room(self, room: str) -> None:
        check(LIBC.umount2(room.encode(), _MNT_DETACH), "unmount a room")
        if room.startswith(ROOMS):
            os.rmdir(room)

    def hide_files(self, room: str, *, judging: bool) -> None:
        # No user is mapped into the namespace, where all are nobody then: gVisor would keep each map for good.
        if judging:
            os.environ["HOME"] = os.environ["TMPDIR"] = room
            os.chdir(room)
        else:
            os.write(self._doors[self._slot], b"0")
            os.chroot(os.path.dirname(room))
            os.chdir("/tmp")

    def lock_in_candidate(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        process.set_limits(self._limits.cpu_s, self._limits.address_bytes, self._limits.file_mb)
        process.limit_processes(self._limits.processes)
        process.drop_capabilities()
        self._filter.install()

    def lock_in_judge(self) -> None:
        process.limit_address_space(self._limits.address_bytes)
        process.drop_capabilities()

    def lock_in_tests(self) -> None:
        """Nothing: the judge's namespaces hold them."""

    def end_strays(self) -> None:
        end_all_others()


def _make_group(group: str, processes: int) -> int:
    """A control group for the candidates of a slot; returns the descriptor through which one joins."""
    os.mkdir(group)
    with open(f"{group}/pids.max", "w", encoding="ascii") as file:
        file.write(str(max(processes, 1)))
    return os.open(f"{group}/cgroup.procs", os.O_WRONLY)


def _make_devices(root: str) -> None:
    """The four devices below another root, by the numbers that they have in this one."""
    for device in DEVICES:
        os.mknod(root + device, stat.S_IFCHR | 0o666, os.stat(device).st_rdev)
        os.chmod(root + device, 0o666)
