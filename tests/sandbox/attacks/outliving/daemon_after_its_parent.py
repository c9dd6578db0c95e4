# expects: crashed
# why: leaves a daemon that holds the channel, and ends; the end of the first process must be the end of all
import os
import time

if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(0.01)
time.sleep(0.01)
os._exit(0)
