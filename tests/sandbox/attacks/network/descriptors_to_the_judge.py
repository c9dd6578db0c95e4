# expects: scored 2/2
# why: tries to send descriptors along with its answers; refused, and the judge must take answers that come without
import array
import socket

import cetd.sandbox.candidate as own
from probing import refusal, right_if

plainly = own.send_frame
said = set()


def send_with_descriptors(channel, data):
    """In place of the candidate's own; the answers themselves are right."""
    fds = array.array("i", [0, 1, 2, 3] * 8)
    frame = len(data).to_bytes(4, "little") + data
    said.add(refusal(channel.sendmsg, [frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]))
    plainly(channel, data)


own.send_frame = send_with_descriptors
one, other = socket.socketpair()
send_with_descriptors(one, b"")

f = right_if(said == {"EPERM"})
