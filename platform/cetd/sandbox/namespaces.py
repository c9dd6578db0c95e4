"""What a candidate process may reach and use: its namespaces, mounts, capabilities and resource limits.

One clone3 call makes the process together with its namespaces, so that it is the first process of its own PID
namespace: killing it kills everything it started, and the kernel reports its end only when nothing of it is left.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
from collections.abc import Mapping

# PyDLL keeps the GIL: a child of clone3 must not find it released.
LIBC = ctypes.PyDLL(None, use_errno=True)

NEW_USER, NEW_MOUNTS, NEW_PIDS = 0x10000000, 0x20000, 0x20000000
# The network namespace is the server's, which has no way out either: a new one costs half of a run, and the system call
# filter leaves no socket that could be named in it.
CANDIDATE_NAMESPACES = NEW_USER | NEW_MOUNTS | NEW_PIDS | 0x08000000 | 0x04000000 | 0x02000000  # IPC UTS CGROUP
# Where an app's own files lie, read-only.
FILES = "/files"

_CLONE_PIDFD = 0x1000
_CLONE_CHILD_SETTID, _CLONE_CHILD_CLEARTID = 0x01000000, 0x00200000
_SYS_CLONE3 = 435  # the same number on every architecture
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_PR_SET_DUMPABLE, _PR_GET_TID_ADDRESS = 4, 40
_CAPABILITY_VERSION_3 = 0x20080522
_OPEN_FILES = 64
_INODES = 1024
_SIGNALS = 256  # queued, and timers


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def spawn(namespaces: int = 0) -> tuple[int, int]:
    """Fork into new namespaces: (pid, pidfd) in the parent, (0, -1) in the child.

    Only for a process with one thread.

    Raises:
        OSError: the kernel refused.
    """
    pidfd = ctypes.c_int(-1)
    tid = ctypes.c_void_p()
    flags = namespaces | _CLONE_PIDFD
    # As the C library's fork does: its cached thread id must be the child's.
    if LIBC.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(tid), 0, 0, 0) == 0:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    arguments = struct.pack("=8Q", flags, ctypes.addressof(pidfd), tid.value or 0, 0, signal.SIGCHLD, 0, 0, 0)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = LIBC.syscall(_SYS_CLONE3, arguments, ctypes.c_size_t(len(arguments)))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    code = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, f"clone3: {os.strerror(code)}")
    return pid, pidfd.value


def become_unprivileged(uid: int) -> None:
    """Leave root for good, then enter a user namespace of that user's own without any capability in it."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _check(LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")  # else /proc/self stays root's
    _check(LIBC.unshare(NEW_USER), "unshare")
    map_ids(uid, uid)
    drop_capabilities()


def map_ids(uid: int, gid: int) -> None:
    """Map one user and one group into the new user namespace, under the numbers that they have outside."""
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, line.encode())
        os.close(fd)


def be_first_to_go() -> None:
    """Where the machine runs out of memory, the kernel ends this process before others."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"1000")
    os.close(fd)


def mount_private(file_mb: int) -> None:
    """A size-limited file system of the run's own over /tmp, and an empty one over /proc."""
    writable = f"size={file_mb}m,nr_inodes={_INODES},mode=1777".encode()
    _check(LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", _MS_NOSUID | _MS_NODEV, writable), "mount /tmp")
    _check(LIBC.mount(b"tmpfs", b"/proc", b"tmpfs", _MS_NOSUID | _MS_NODEV | _MS_RDONLY, b"size=4k"), "mount /proc")
    os.chdir("/tmp")


def mount_files(files: Mapping[str, bytes]) -> None:
    """An app's own files, read-only, with a link to each from the current folder."""
    if not files:
        return
    _check(LIBC.mount(b"tmpfs", FILES.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755"), f"mount {FILES}")
    for path, data in files.items():
        there = os.path.join(FILES, path)
        for folder in (os.path.dirname(there), os.path.dirname(path) or "."):
            os.makedirs(folder, exist_ok=True)
        with open(there, "wb") as file:
            file.write(data)
        os.symlink(there, path)
    read_only = _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
    _check(LIBC.mount(b"tmpfs", FILES.encode(), b"tmpfs", read_only, None), f"remount {FILES}")


def drop_capabilities() -> None:
    """Give up every capability in the current user namespace."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(LIBC.capset(header, bytes(24)), "capset")


def set_limits(cpu_s: int, address_bytes: int, processes: int, file_mb: int) -> None:
    """Resource limits, hard ones.

    ``processes`` counts those of the user in the run's own user namespace, the candidate itself included; the
    kernel exempts real root from it, which is why the server leaves root.
    """
    limits = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: address_bytes,
        resource.RLIMIT_NPROC: max(processes, 1),
        resource.RLIMIT_FSIZE: file_mb << 20,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        # 1, not 0, keeps the kernel from starting a machine's own handler of core dumps as well: core(5)
        resource.RLIMIT_CORE: 1 if resource.getrlimit(resource.RLIMIT_CORE)[1] else 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: _SIGNALS,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
    }
    for which, value in limits.items():
        resource.setrlimit(which, (value, value))


def limit_address_space(size: int) -> None:
    """No more than ``size`` bytes of address space."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def address_space() -> int:
    """Bytes of address space that this process has mapped."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def keep_only(fds: list[int]) -> None:
    """Renumber ``fds`` to 0, 1, 2, ... and close every other descriptor."""
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, len(fds)) for fd in fds]  # out of the way of their targets
    for target, fd in enumerate(moved):
        os.dup2(fd, target)
    os.closerange(len(fds), 1 << 20)
