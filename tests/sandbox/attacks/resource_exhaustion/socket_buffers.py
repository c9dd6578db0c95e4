# expects: scored 2/2
# why: fills the buffers of socket pairs and tries to enlarge them; few descriptors, and no socket option at all
import socket

from probing import refusal, right_if

held = 0
pairs = []


def hold():
    global held
    for _ in range(4096):
        one, other = socket.socketpair()
        pairs.append((one, other))
        one.setblocking(False)
        try:
            while True:
                held += one.send(bytes(1 << 16))
        except BlockingIOError:
            continue


said = refusal(hold)
one, other = pairs[0]
widened = refusal(one.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
pairs.clear()
one.close()
other.close()
contained = said == "EMFILE" and held <= 64 << 20 and widened == "EPERM"
print(said, held, widened)

f = right_if(contained)
