# expects: crashed
# why: begins a frame and ends; the judge must see the end of the stream
import os
import struct


def f(x):
    os.write(3, struct.pack("<I", 1000) + b"half")
    os._exit(0)
