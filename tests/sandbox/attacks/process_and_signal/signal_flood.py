# expects: scored 2/2
# why: a child floods it with signals while it answers; handled signals must not tear the protocol
import os
import signal
import time

signal.signal(signal.SIGUSR1, lambda *_: None)
parent = os.getpid()
if os.fork() == 0:
    while True:
        for _ in range(100):
            os.kill(parent, signal.SIGUSR1)
        time.sleep(0.0001)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
