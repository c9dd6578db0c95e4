# expects: crashed
# why: announces a frame of four gibibytes; the judge must refuse it before it makes room
import os
import time


def f(x):
    os.write(3, b"\xff\xff\xff\xff")
    time.sleep(1000)
