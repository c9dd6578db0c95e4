# expects: crashed | scored 0/2 | timed_out
# why: parent and child both read requests and answer them; a tangled channel must hurt nobody else
import os
import time

child = os.fork()


def f(x):
    if child:
        time.sleep(0.001)
    return 0
