# expects: crashed
# why: claims to have changed an argument that is no list; the judge must refuse the shape
import os
import struct

from cetd.sandbox.encoding import encode


def send(sequence, answer):
    data = struct.pack("<Q", sequence) + encode(answer)
    os.write(3, struct.pack("<I", len(data)) + data)



def f(x):
    send(2, ("return", 41, [(0, [41])]))
