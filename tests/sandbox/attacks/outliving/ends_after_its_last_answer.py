# expects: scored 2/2 | crashed
# why: ends of its own just after its last answer, while its end is being brought about; the two must not collide
import os
import threading
import time


def leave():
    time.sleep(0.0003)
    os._exit(0)


def f(x):
    if x == 20:
        return 41
    threading.Thread(target=leave).start()
    return "b"
