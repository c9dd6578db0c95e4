# expects: crashed
# why: sends a pickle in a frame of the right length and sequence; it must not decode
import os
import pickle
import struct


class E:
    def __reduce__(self):
        return print, ("unpickled",)


def f(x):
    data = struct.pack("<Q", 2) + pickle.dumps(E())
    os.write(3, struct.pack("<I", len(data)) + data)
