# expects: scored 2/2
# why: sends descriptors along with its answers; the judge must take the answer and keep none of them
import array
import socket

import cetd.sandbox.candidate as own

sent = []


def send_with_descriptors(channel, data):
    """In place of the candidate's own; the answers themselves are right."""
    fds = array.array("i", [0, 1, 2, 3] * 8)
    frame = len(data).to_bytes(4, "little") + data
    sent.append(channel.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]))


own.send_frame = send_with_descriptors


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
