# expects: crashed
# why: a callback from C that calls itself through C until the stack of the process is gone
import ctypes
import sys


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
def again(n):
    return again(n + 1)


sys.setrecursionlimit(1 << 30)
again(0)
