# expects: timed_out
# why: sleeps within a call; a limit on CPU time alone would wait for ever
import time


def f(x):
    time.sleep(1000)
