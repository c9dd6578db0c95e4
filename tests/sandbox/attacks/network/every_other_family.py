# expects: scored 2/2
# why: opens sockets and pairs of every address family, netlink, packet, alg and vsock among them; all must be refused
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


refusals = {
    (call, family): refusal(numbers, family, kind, 0, ctypes.create_string_buffer(8))
    for call, numbers in {"socket": (41, 198), "socketpair": (53, 199)}.items()
    for family in (*range(64), 1 << 16, (1 << 32) | 2)
    for kind in (1, 2, 3, 5)
    if family != 1
}
contained = set(refusals.values()) == {"EPERM"}
print({key: said for key, said in refusals.items() if said != "EPERM"})


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
