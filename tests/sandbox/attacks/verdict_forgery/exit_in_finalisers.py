# expects: scored 0/2
# why: ends with status 0 from finalisers and exit handlers; they are no way out of a verdict
import atexit
import sys
import weakref


class D:
    def __del__(self):
        sys.exit(0)


atexit.register(sys.exit, 0)
kept = D()
weakref.finalize(kept, sys.exit, 0)


def f(x):
    global kept
    kept = D()
    D()
    return 0
