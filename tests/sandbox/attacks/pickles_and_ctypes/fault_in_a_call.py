# expects: crashed
# why: answers one test rightly, then faults; one passed test must not become a verdict
import ctypes


def f(x):
    return 41 if x == 20 else ctypes.string_at(8)
