# expects: scored 2/2
# why: a daemon, forked twice and in a session of its own, goes on writing; it must end with the run
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(0.01)
            with open("/tmp/attack-mark", "a") as file:
                file.write("x")
    os._exit(0)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
