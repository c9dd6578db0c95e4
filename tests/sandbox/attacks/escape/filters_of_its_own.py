# expects: scored 2/2
# why: adds system call filters, whose actions can write to the machine's log at every call; the filter must refuse
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


PR_SET_SECCOMP = 22
log_all = ctypes.create_string_buffer(b"\x06\x00\x00\x00\x00\x00\xfc\x7f", 8)
program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(log_all))
refusals = {
    "seccomp strict": refusal((317, 277), 0, 0, None),
    "seccomp filter": refusal((317, 277), 1, 2, program),
    "prctl strict": refusal((157, 167), PR_SET_SECCOMP, 1, None, 0, 0),
    "prctl filter": refusal((157, 167), PR_SET_SECCOMP, 2, program, 0, 0),
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
