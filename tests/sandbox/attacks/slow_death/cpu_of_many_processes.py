# expects: timed_out
# why: burns CPU time in every process that it may have, while the first sleeps; the wall clock ends all of them
import os
import time

for _ in range(8):
    if os.fork() == 0:
        while True:
            pass
time.sleep(1000)
