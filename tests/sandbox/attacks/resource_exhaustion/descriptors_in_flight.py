# expects: scored 2/2
# why: parks descriptors in messages that nobody receives; the kernel must refuse (ETOOMANYREFS) and free them at the end
import socket

from probing import refusal, right_if

one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
one.setblocking(False)
sent = 0


def park():
    global sent
    for sent in range(4096):
        mine, theirs = socket.socketpair()
        with mine, theirs:
            socket.send_fds(one, [b"x"], [mine.fileno(), theirs.fileno(), one.fileno()] * 20)


said = refusal(park)
contained = said in ("ETOOMANYREFS", "EAGAIN") and sent < 64
print(said, sent)

f = right_if(contained)
