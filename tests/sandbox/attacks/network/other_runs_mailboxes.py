# expects: scored 2/2
# why: writes to every name that the kernel gives to sockets; no other run may have one
import socket

reached = []
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
    for number in range(0, 1 << 20, 16):
        try:
            one.sendto(b"x", b"\0%05x" % number)
            reached.append(number)
        except ConnectionRefusedError:
            continue
contained = not reached


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
