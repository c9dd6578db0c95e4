# expects: scored 2/2
# why: parks descriptors in messages that nobody receives, of which a user has so many for all his processes; refused
import socket

from probing import refusal, right_if

one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
said = refusal(socket.send_fds, one, [b"x"], [one.fileno(), other.fileno()])
print(said)

f = right_if(said == "EPERM")
