# expects: scored 2/2
# why: peeks at its channel for what will be asked later; one request is sent at a time
import os
import socket
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


channel = socket.socket(fileno=os.dup(3))
said = refusal(channel.recv, 1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
contained = said == "EAGAIN" and not channel.getpeername() and not channel.getsockname()
channel.close()
print(said)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
