# expects: timed_out
# why: forks for ever within a call; the limit on processes must hold and all must go with the run
import os


def f(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass
