# expects: scored 2/2
# why: asks for a user namespace, in which it would be root, by every call there is; the filter must refuse each
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


NEW_USER = 0x10000000
CALLS = {"unshare": (272, 97), "setns": (308, 268), "clone": (56, 220), "clone3": (435, 435)}
refusals = {name: refusal(numbers, NEW_USER, 0, 0, 0, 0) for name, numbers in CALLS.items()}
KINDS = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)
others = {refusal(CALLS["unshare"], kind) for kind in KINDS} | {
    refusal(CALLS["clone"], kind | 17, 0, 0, 0, 0) for kind in KINDS
}
contained = refusals == {"unshare": "EPERM", "setns": "EPERM", "clone": "EPERM", "clone3": "ENOSYS"}
contained = contained and others == {"EPERM"}
print(refusals, others)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
