# expects: scored 0/2
# why: replaces its output streams by ones whose methods raise what ends an interpreter
import sys


class Stream:
    def write(self, text):
        raise SystemExit(0)

    flush = close = property(lambda self: sys.exit(0))


sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Stream()


def f(x):
    return 0
