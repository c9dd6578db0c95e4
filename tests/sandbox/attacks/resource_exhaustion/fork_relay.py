# expects: timed_out
# why: a line of processes, each of which forks the next and ends, so that no pid lives long enough to be listed
import os
import time

if os.fork() == 0:
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            time.sleep(0.001)
time.sleep(1000)
