"""One process: how it is forked, what it may use, and what it gives up for good.

Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
import time

# PyDLL keeps the GIL: a child of clone must not find it released.
LIBC = ctypes.PyDLL(None, use_errno=True)
# Looked up here, and not once more in each fork.
for _name in ("capset", "mount", "prctl", "syscall"):
    getattr(LIBC, _name)
_before_fork, _after_fork_in_child, _after_fork_in_parent = (
    getattr(ctypes.pythonapi, f"PyOS_{_name}") for _name in ("BeforeFork", "AfterFork_Child", "AfterFork_Parent")
)

_CLONE_CHILD_SETTID, _CLONE_CHILD_CLEARTID = 0x01000000, 0x00200000
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS = 1, 4, 8
_PR_SET_NO_NEW_PRIVS, _PR_GET_TID_ADDRESS = 38, 40
_CAPABILITY_VERSION_3 = 0x20080522
_OPEN_FILES = 64
SIGNALS = 256  # queued, and timers
_LOOK_AGAIN_S = 0.001


def check(result: int, what: str) -> None:
    """Raise OSError for a C call of ``what`` that returned other than 0."""
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def spawn(namespaces: int = 0) -> int:
    """Fork into new namespaces: the child's process id in the parent, 0 in the child.

    Only for a process with one thread. By clone(2), which gVisor has as well; clone3 and pidfds it has not.

    Raises:
        OSError: the kernel refused.
    """
    tid = ctypes.c_void_p()
    flags = namespaces | signal.SIGCHLD
    # As the C library's fork does: its cached thread id must be the child's.
    if LIBC.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(tid), 0, 0, 0) == 0:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    number = _SYS_CLONE[os.uname().machine]
    _before_fork()
    # The fourth argument is the thread id's address or, where that is the fifth, thread-local storage: not asked for.
    pid = LIBC.syscall(number, ctypes.c_ulong(flags), None, None, tid, tid)
    if pid == 0:
        _after_fork_in_child()
        return 0
    code = ctypes.get_errno()
    _after_fork_in_parent()
    if pid < 0:
        raise OSError(code, f"clone: {os.strerror(code)}")
    return pid


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a child has ended within so many seconds; it is left to be waited for."""
    until = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_AGAIN_S)
    return True


def become_unprivileged(uid: int, keep: int = 0) -> None:
    """Leave root for good, and every capability with it but for those of the mask ``keep``."""
    check(LIBC.prctl(_PR_SET_KEEPCAPS, 1 if keep else 0, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if keep:
        _set_capabilities(keep)
    check(LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")  # else /proc/self stays root's


def give_up_new_privileges() -> None:
    """What this process or one that it starts executes gives it no privileges that it does not have."""
    check(LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Give up every capability in the current user namespace."""
    _set_capabilities(0)


def _set_capabilities(mask: int) -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    check(LIBC.capset(header, struct.pack("=6I", mask, mask, 0, 0, 0, 0)), "capset")


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    check(LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")


def be_first_to_go() -> None:
    """Where the machine runs out of memory, the kernel ends this process before others."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"1000")
    os.close(fd)


def set_limits(cpu_s: int, address_bytes: int, file_mb: int) -> None:
    """Resource limits of one process, hard ones."""
    limits = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: address_bytes,
        resource.RLIMIT_FSIZE: file_mb << 20,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        # 1, not 0, keeps the kernel from starting a machine's own handler of core dumps as well: core(5)
        resource.RLIMIT_CORE: 1 if resource.getrlimit(resource.RLIMIT_CORE)[1] else 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: SIGNALS,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
    }
    for which, value in limits.items():
        if resource.getrlimit(which) != (value, value):
            resource.setrlimit(which, (value, value))


def limit_processes(processes: int) -> None:
    """No more than so many processes and threads of the user in this user namespace, this one included.

    The kernel exempts real root from it, which is why the server leaves root.
    """
    resource.setrlimit(resource.RLIMIT_NPROC, (max(processes, 1), max(processes, 1)))


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
