# expects: scored 2/2
# why: sockets in flight within each other, which no process holds and only the kernel's collector frees
import socket

for _ in range(4):
    one, other = socket.socketpair()
    socket.send_fds(one, [b"x"], [one.fileno(), other.fileno(), 1, 2, 3])
    socket.send_fds(other, [b"x"], [one.fileno(), other.fileno(), 1, 2, 3])
    one.close()
    other.close()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
