# expects: timed_out
# why: a regular expression that backtracks for ever in C code, which no handler of the interpreter interrupts
import re


def f(x):
    return re.match("(a+)+$", "a" * 60 + "b")
