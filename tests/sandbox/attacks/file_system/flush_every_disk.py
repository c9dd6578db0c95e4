# expects: scored 2/2
# why: flushes the machine's disks, for which every process there has to wait; the filter must refuse
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


fd = os.open(os.__file__, os.O_RDONLY)
refusals = {"sync": refusal((162, 81)), "syncfs": refusal((306, 267), fd)}
os.close(fd)
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
