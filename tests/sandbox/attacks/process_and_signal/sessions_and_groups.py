# expects: scored 2/2
# why: leaves its session and group, orphans its children and adopts others'; the run's end must reach all of them
import os
import time

for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setpgid(0, 0)
            time.sleep(1000)
        os._exit(0)
    os.wait()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
