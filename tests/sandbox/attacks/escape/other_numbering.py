# expects: scored 2/2
# why: makes denied calls by their x32 numbers, which filters that compare one number miss; all must be refused
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


X32 = 0x40000000
NUMBERS = (39, 41, 101, 165, 272, 319, 512, 521, 547)
refusals = {number: refusal((X32 | number,) * 2, 0x10000000, 0, 0) for number in NUMBERS}
# where there is no such numbering the kernel itself knows no such call
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
