"""Namespaces of a candidate's or a judge's own: who it is in them, and the file systems that it sees there.

clone makes a process together with its namespaces, so that it is the first process of its own PID namespace: killing
it kills everything it started, and the kernel reports its end only when nothing of it is left.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cetd.sandbox.process import LIBC, check, drop_capabilities

NEW_USER, NEW_MOUNTS, NEW_PIDS = 0x10000000, 0x20000, 0x20000000
# The network namespace is the server's, which has no way out either: a new one costs half of a run, and the system call
# filter leaves no socket that could be named in it.
CANDIDATE_NAMESPACES = NEW_USER | NEW_MOUNTS | NEW_PIDS | 0x08000000 | 0x04000000 | 0x02000000  # IPC UTS CGROUP
# Where an app's own files lie, read-only; installed distributions that apps require; and those that only judges load.
FILES, PACKAGES, JUDGING = "/files", "/packages", "/judging"

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_INODES = 1024


def enter_own_user_namespace() -> None:
    """Enter a user namespace of this user's own, without any capability in it."""
    uid, gid = os.getuid(), os.getgid()
    check(LIBC.unshare(NEW_USER), "unshare")
    map_ids(uid, gid)
    drop_capabilities()


def map_ids(uid: int, gid: int) -> None:
    """Map one user and one group into the new user namespace, under the numbers that they have outside."""
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, line.encode())
        os.close(fd)


def mount_private(file_mb: int) -> None:
    """A size-limited file system of the run's own over /tmp, and an empty one over /proc."""
    writable = f"size={file_mb}m,nr_inodes={_INODES},mode=1777".encode()
    check(LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", _MS_NOSUID | _MS_NODEV, writable), "mount /tmp")
    check(LIBC.mount(b"tmpfs", b"/proc", b"tmpfs", _MS_NOSUID | _MS_NODEV | _MS_RDONLY, b"size=4k"), "mount /proc")
    os.chdir("/tmp")


def mount_files(files: Mapping[str, bytes]) -> None:
    """An app's own files, read-only, with a link to each from the current folder."""
    if not files:
        return
    check(LIBC.mount(b"tmpfs", FILES.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755"), f"mount {FILES}")
    for path, data in files.items():
        there = os.path.join(FILES, path)
        for folder in (os.path.dirname(there), os.path.dirname(path) or "."):
            os.makedirs(folder, exist_ok=True)
        with open(there, "wb") as file:
            file.write(data)
        os.symlink(there, path)
    read_only = _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
    check(LIBC.mount(b"tmpfs", FILES.encode(), b"tmpfs", read_only, None), f"remount {FILES}")
