# expects: scored 0/2
# why: sends answers to calls that were not made yet; each is only ever an answer, and wrong
import os
import struct

from cetd.sandbox.encoding import encode


def send(sequence, answer):
    data = struct.pack("<Q", sequence) + encode(answer)
    os.write(3, struct.pack("<I", len(data)) + data)

import time

send(1, ("return", {"functions": ["f"], "values": {}}, [], "", ""))
send(2, ("return", 42, [], "", ""))
send(3, ("return", "a", [], "", ""))
time.sleep(1000)
