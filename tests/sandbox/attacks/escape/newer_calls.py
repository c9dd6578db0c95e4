# expects: scored 2/2
# why: makes the calls that are newer than the list of denied ones; the filter must answer that there are none such
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)


def refusal(number):
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


refusals = {number: refusal(number) for number in (*range(462, 512), *range(600, 1024), 0x3FFFFFFF)}
named = {number: refusal(number) for number in (443, 457, 458)}  # quotactl_fd, statmount, listmount
contained = set(refusals.values()) == {"ENOSYS"} and set(named.values()) == {"EPERM"}
print({number: said for number, said in refusals.items() if said != "ENOSYS"}, named)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
