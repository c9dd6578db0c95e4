# expects: out_of_memory | crashed | timed_out
# why: recursion without a limit; the memory limit must stop the interpreter's frames
import sys

sys.setrecursionlimit(1 << 30)


def f(x):
    return f(x) + 1
