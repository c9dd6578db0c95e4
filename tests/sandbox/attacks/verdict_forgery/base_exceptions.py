# expects: scored 0/2
# why: raises what ends an interpreter; within a call it must stay the error of a test
import sys


def f(x):
    if x == 20:
        sys.exit(0)
    raise KeyboardInterrupt
