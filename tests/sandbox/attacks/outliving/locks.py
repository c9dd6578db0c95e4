# expects: scored 2/2
# why: holds locks on files of its own and in a child; they must be free with its processes
import fcntl
import os
import time

with open("/tmp/attack-mark", "w") as file:
    pass
if os.fork() == 0:
    held = open("/tmp/attack-mark", "w")
    fcntl.flock(held, fcntl.LOCK_EX)
    fcntl.lockf(held, fcntl.LOCK_EX)
    time.sleep(1000)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
