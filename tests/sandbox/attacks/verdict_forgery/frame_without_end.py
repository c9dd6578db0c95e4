# expects: timed_out
# why: begins a frame and never ends it; the wall clock must
import os
import struct
import time


def f(x):
    os.write(3, struct.pack("<I", 1000))
    time.sleep(1000)
