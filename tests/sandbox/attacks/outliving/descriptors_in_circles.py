# expects: scored 2/2
# why: sockets in flight within each other, which only the kernel's collector would free; sending one is refused
import socket

from probing import refusal, right_if

said = set()
for _ in range(4):
    one, other = socket.socketpair()
    said.add(refusal(socket.send_fds, one, [b"x"], [one.fileno(), other.fileno(), 1, 2, 3]))
    said.add(refusal(socket.send_fds, other, [b"x"], [one.fileno(), other.fileno(), 1, 2, 3]))
    one.close()
    other.close()
print(said)

f = right_if(said == {"EPERM"})
