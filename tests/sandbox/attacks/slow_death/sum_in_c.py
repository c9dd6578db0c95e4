# expects: timed_out
# why: one call of a built-in that counts for ever without returning to the interpreter
from itertools import count


def f(x):
    return -1 in count()
