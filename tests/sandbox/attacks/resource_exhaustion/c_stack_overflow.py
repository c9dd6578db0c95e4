# expects: crashed | out_of_memory
# why: recursion through C code overflows the stack of the process; only the candidate may fall
import sys

sys.setrecursionlimit(1 << 30)


class Deep:
    def __repr__(self):
        return repr([self, self])


def f(x):
    return repr(Deep())
