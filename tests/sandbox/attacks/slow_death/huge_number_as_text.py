# expects: timed_out
# why: turns a huge number into text with the interpreter's limit lifted; only the clock can end it
import sys

sys.set_int_max_str_digits(0)


def f(x):
    return str(1 << (1 << 25))
