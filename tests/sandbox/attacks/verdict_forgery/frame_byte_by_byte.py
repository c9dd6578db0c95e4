# expects: timed_out
# why: sends an answer a byte at a time, so that something always arrives; the wall clock must not start anew
import os
import struct
import time


def f(x):
    os.write(3, struct.pack("<I", 1 << 20))
    while True:
        os.write(3, b"x")
        time.sleep(0.01)
