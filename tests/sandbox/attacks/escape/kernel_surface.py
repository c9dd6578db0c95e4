# expects: scored 2/2
# why: reaches for the parts of the kernel that most exploits start from; the filter must refuse each
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


CALLS = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
}
block = ctypes.create_string_buffer(256)
refusals = {name: refusal(numbers, 1, block, 0, 0, 0) for name, numbers in CALLS.items()}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
