# expects: scored 0/2 | crashed
# why: patches what tests decide with; they run in another process
import builtins

builtins.AssertionError = type("A", (BaseException,), {})
builtins.isinstance = lambda *a: True
builtins.all = builtins.any = lambda *a: True


def f(x):
    return 0
