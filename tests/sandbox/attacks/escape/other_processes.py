# expects: scored 2/2
# why: traces processes and takes their memory and descriptors by raw calls; the filter must refuse each
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
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
}
refusals = {
    f"{name} {pid}": refusal(numbers, pid, 0, 0, 0, 0, 0) for name, numbers in CALLS.items() for pid in (0, 1, 2)
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
