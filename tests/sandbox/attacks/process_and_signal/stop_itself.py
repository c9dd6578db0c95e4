# expects: scored 2/2
# why: stops itself and a child, so that the run would hang in a stopped process; it may not stop, and the child must go
import os
import signal
import time

os.kill(os.getpid(), signal.SIGSTOP)
os.kill(0, signal.SIGSTOP)
child = os.fork()
if child == 0:
    while True:
        time.sleep(0.01)
os.kill(child, signal.SIGSTOP)
os.waitpid(child, os.WUNTRACED)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
