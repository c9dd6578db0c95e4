"""The system call filter of a candidate, assembled by hand as classic BPF.

Denies (with EPERM) what could reach beyond the run: tracing, mounts, devices, new namespaces, other tasks' memory,
kernel keyrings, io_uring, sockets other than AF_UNIX and naming those, and memory that no rlimit counts. clone3 answers
ENOSYS, because its flags lie in memory that a filter cannot read; C libraries then use clone, whose flags it can. So
does every call that is newer than the list of the denied, as on a kernel of its age. A program without namespaces of
its own is also denied what reaches other processes, and what Landlock does not cover: new processes, signals, settings
and clocks of other processes, System V's and POSIX's shared objects, a file's mode, owner, times and attributes, and
every socket but connected pairs.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable

from cetd.sandbox.process import LIBC, check, give_up_new_privileges

# name: (x86_64, aarch64); None where the architecture has no such call.
DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "io_setup": (206, 0),  # a machine has so many events for all
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bind": (49, 200),
    "connect": (42, 203),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "setsockopt": (54, 208),  # SO_PASSCRED has the kernel name a socket unasked
    "sendmsg": (46, 211),  # what a user has in flight counts for all of his processes
    "sendmmsg": (307, 269),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "personality": (135, 92),
    "syslog": (103, 116),
    "seccomp": (317, 277),  # a filter can write every call to the machine's log
    "acct": (163, 89),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "modify_ldt": (154, None),
    "iopl": (172, None),
    "ioperm": (173, None),
}
DENIED_IN_COMPANY: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "timer_create": (222, 107),  # may send its own process SIGKILL, which is taken for the machine's doing
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_unlink": (241, 181),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "process_mrelease": (448, 448),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "socket": (41, 198),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}
_FIRST_UNKNOWN = 462  # of Linux 6.10, and the same on every architecture
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SOCKET, _SOCKETPAIR = (41, 198), (53, 199)
# A program that lowers its CPU limit would be killed as if from outside, and go unscored where it has failed; one that
# lowers its limit on core dumps from 1 to 0 would have them handed to a program of the machine's.
_SETRLIMIT, _PRLIMIT, _RLIMIT_CPU, _RLIMIT_CORE = (160, 164), (302, 261), 0, 4
_FIXED_LIMITS = (_RLIMIT_CPU, _RLIMIT_CORE)
_PRCTL = (157, 167)
# The kernel asks a capability of who makes devices; gVisor does not.
_MKNOD, _MKNODAT, _KIND, _DEVICES = (133, None), (259, 33), 0o170000, (0o020000, 0o060000)
# Watches on a folder tell, as inotify's do, which files of the machine others open; leases hold those others up.
_FCNTL, _F_NOTIFY, _F_SETLEASE = (72, 25), 1026, 1024
_SIGNALLING = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: what is ready sends any signal to any process of the user
_CLOCKS, _OF_A_PROCESS = ((228, 113), (229, 114), (230, 115)), 0x80000000  # clock_gettime, _getres, _nanosleep
_IOCTL, _HARMLESS = (16, 29), (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # is it a terminal, its size, FIO*
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_*

_NEW_NAMESPACES, _THREAD = 0x7E020080, 0x10000  # every CLONE_NEW*, CLONE_NEWTIME included; CLONE_THREAD
_AF_UNIX, _SOCKET_TYPE, _STREAM = 1, 0xF, 1
_ALL_BITS = 0xFFFFFFFF
_LOAD, _JUMP_EQ, _JUMP_GE, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data

Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, value

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _MODE_FILTER = 1, 22, 2


def _argument(index: int) -> Instruction:
    """Load the lower half of an argument."""
    return _LOAD, 0, 0, _ARGUMENT_AT + index * 8


def _allow_if(index: int, mask: int, value: int) -> list[Instruction]:
    return [_argument(index), (_AND, 0, 0, mask), (_JUMP_EQ, 1, 0, value)]


def _else_deny(index: int, mask: int, value: int, following: int) -> list[Instruction]:
    """Go on with a test of ``following`` instructions if the argument is as it should be."""
    return [_argument(index), (_AND, 0, 0, mask), (_JUMP_EQ, 0, following, value)]


def _allow_among(index: int, *values: int) -> list[Instruction]:
    last = len(values)
    return [_argument(index), *((_JUMP_EQ, last - at, 0, value) for at, value in enumerate(values))]


def _deny_among(index: int, *values: int) -> list[Instruction]:
    return [_argument(index), *_through_if_among(values)]


def _deny_devices(index: int) -> list[Instruction]:
    return [_argument(index), (_AND, 0, 0, _KIND), *_through_if_among(_DEVICES)]


def _through_if_among(values: Iterable[int]) -> list[Instruction]:
    """Go on with what follows where what is loaded is one of ``values``, else with what follows that."""
    return _search(sorted(values), 0)


def _search(values: list[int], behind: int) -> list[Instruction]:
    """The same for ordered values and ``behind`` further instructions before what follows.

    In halves: when it takes a filter, the kernel tries it with every call that there is.
    """
    if len(values) <= 4:
        *others, last = values
        ahead = len(others) + behind
        return [
            *((_JUMP_EQ, ahead - at, 0, one) for at, one in enumerate(others)),
            (_JUMP_EQ, behind, behind + 1, last),
        ]
    middle = len(values) // 2
    upper = _search(values[middle:], behind)
    lower = _search(values[:middle], behind + len(upper))
    return [(_JUMP_GE, len(lower), 0, values[middle]), *lower, *upper]


# prlimit64(pid, which, new, old) with a new limit: its address is not null in one half or the other.
_NO_NEW_LIMIT = [
    _argument(1),
    (_JUMP_EQ, 1, 0, _RLIMIT_CPU),
    (_JUMP_EQ, 0, 5, _RLIMIT_CORE),
    _argument(2),
    (_JUMP_EQ, 0, 2, 0),
    (_LOAD, 0, 0, _ARGUMENT_AT + 2 * 8 + 4),
    (_JUMP_EQ, 1, 0, 0),
]


def assemble(machine: str, *, alone: bool = True) -> bytes:
    """The filter for ``machine`` (as ``os.uname().machine`` names it), as an array of struct sock_filter.

    ``alone`` are programs with namespaces of their own.

    Raises:
        NotImplementedError: no system call numbers are known for the machine.
    """
    if machine not in _MACHINES:
        raise NotImplementedError(f"no system call filter for {machine}: known are {', '.join(_MACHINES)}")
    column, audit = _MACHINES[machine]
    deny, unknown = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    program = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_JUMP_EQ, 1, 0, audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_GE, 0, 1, 0x40000000),  # the x32 numbering of x86_64; no other architecture has such numbers
        (_RETURN, 0, 0, deny),
        (_JUMP_GE, 0, 1, _FIRST_UNKNOWN),
        (_RETURN, 0, 0, unknown),
    ]
    denied = DENIED if alone else DENIED | DENIED_IN_COMPANY
    program += _through_if_among(number for numbers in denied.values() if (number := numbers[column]) is not None)
    program += [(_RETURN, 0, 0, deny)]
    program += [(_JUMP_EQ, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, unknown)]
    rules = [
        (_CLONE, _allow_if(0, _NEW_NAMESPACES, 0) if alone else _allow_if(0, _NEW_NAMESPACES | _THREAD, _THREAD)),
        (_SOCKET, _allow_among(0, _AF_UNIX)),
        # A connected pair of streams, unlike one of datagrams, sends to no other address.
        (_SOCKETPAIR, [*([] if alone else _else_deny(1, _SOCKET_TYPE, _STREAM, 2)), *_allow_among(0, _AF_UNIX)]),
        (_SETRLIMIT, _deny_among(0, *_FIXED_LIMITS)),
        (_PRLIMIT, [*([] if alone else _else_deny(0, _ALL_BITS, 0, 7)), *_NO_NEW_LIMIT]),
        (_MKNOD, _deny_devices(1)),
        (_MKNODAT, _deny_devices(2)),
        (_PRCTL, _deny_among(0, _PR_SET_SECCOMP, *([] if alone else [_PR_SET_PDEATHSIG]))),
        (_FCNTL, _deny_among(1, _F_NOTIFY, _F_SETLEASE, *([] if alone else _SIGNALLING))),
        *([] if alone else [(_IOCTL, _allow_among(1, *_HARMLESS))]),
        *([] if alone else [(clock, [_argument(0), (_JUMP_GE, 0, 1, _OF_A_PROCESS)]) for clock in _CLOCKS]),
    ]
    for numbers, test in rules:
        if (number := numbers[column]) is not None:
            program += _on(number, test, deny)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _on(number: int, test: list[Instruction], otherwise: int) -> list[Instruction]:
    """For call ``number``: return ``otherwise`` where ``test`` runs through, allow where it jumps one further."""
    body = [*test, (_RETURN, 0, 0, otherwise), (_RETURN, 0, 0, _ALLOW)]
    return [(_JUMP_EQ, 0, len(body), number), *body]


class Filter:
    """An assembled filter, kept in memory in the shape that prctl(2) takes, so that installing it is two calls."""

    def __init__(self, machine: str, *, alone: bool = True) -> None:
        code = assemble(machine, alone=alone)
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = ctypes.create_string_buffer(
            struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code)), struct.calcsize("@HP")
        )

    def install(self) -> None:
        """Give up new privileges and bind this process and all it will fork.

        Raises:
            OSError: the kernel refused.
        """
        give_up_new_privileges()
        address = ctypes.c_void_p(ctypes.addressof(self._program))
        check(LIBC.prctl(_PR_SET_SECCOMP, _MODE_FILTER, address, 0, 0), "seccomp")
