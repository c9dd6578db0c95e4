# expects: scored 2/2
# why: opens internet sockets of every type; the filter must refuse the socket itself
import socket
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)
refusals = {
    (family, kind): refusal(socket.socket, family, kind)
    for family in (socket.AF_INET, socket.AF_INET6)
    for kind in KINDS
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
