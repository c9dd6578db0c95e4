# expects: crashed
# why: ends while a child in another session keeps the channel open in silence; the end must be noticed all the same
import os
import time


def f(x):
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    os._exit(0)
