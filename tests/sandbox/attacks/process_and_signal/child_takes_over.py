# expects: scored 0/2
# why: a child goes on with the channel while its parent sleeps; whoever answers, wrong is wrong
import os
import time

if os.fork():
    while True:
        time.sleep(1000)


def f(x):
    return 0
