# expects: scored 2/2
# why: a new interpreter in the same process takes over the channel; the confinement must have come along
import os
import sys

from cetd.sandbox.encoding import encode

ANSWERS = [
    encode(("return", {"functions": ["f"], "values": {}}, [], "", "")),
    encode(("return", 41, [], "", "")),
    encode(("return", "b", [], "", "")),
]
CODE = """
import os, socket, struct, sys
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    os._exit(3)
except PermissionError:
    pass
if os.listdir("/proc") or os.getpid() != 1 or sorted(os.listdir("/dev")) != ["null", "random", "urandom", "zero"]:
    os._exit(4)
channel = socket.socket(fileno=3)
for number, answer in enumerate(sys.argv[1:], 1):
    data = struct.pack("<Q", number) + bytes.fromhex(answer)
    channel.sendall(struct.pack("<I", len(data)) + data)
    if number < 3:
        channel.recv(1 << 16)
channel.recv(1 << 16)
"""
os.execv(sys.executable, ["python", "-S", "-c", CODE, *(answer.hex() for answer in ANSWERS)])
