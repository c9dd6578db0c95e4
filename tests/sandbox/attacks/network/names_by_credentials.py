# expects: scored 2/2
# why: a sender that passes credentials is named by the kernel unasked, and other runs could write to that name
import socket

from probing import refusal, right_if

said = []
for option in (socket.SO_PASSCRED, 34, 76):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        said.append(refusal(one.setsockopt, socket.SOL_SOCKET, option, 1))
        said.append(refusal(one.sendto, b"x", "\0nobody"))
        said.append(one.getsockname() or "unnamed")
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
said.append(refusal(one.setsockopt, socket.SOL_SOCKET, socket.SO_PASSCRED, 1))
one.send(b"x")
said.append(one.getsockname() or "unnamed")
one.close()
other.close()
contained = said == ["EPERM", "ECONNREFUSED", "unnamed"] * 3 + ["EPERM", "unnamed"]
print(said)

f = right_if(contained)
