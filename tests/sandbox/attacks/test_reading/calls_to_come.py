# expects: scored 2/2
# why: peeks at its channel for what will be asked later; one request is sent at a time
import os
import socket

from probing import refusal, right_if

channel = socket.socket(fileno=os.dup(3))
said = refusal(channel.recv, 1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
contained = said == "EAGAIN" and not channel.getpeername() and not channel.getsockname()
channel.close()
print(said)

f = right_if(contained)
