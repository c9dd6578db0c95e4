# expects: crashed
# why: overwrites objects of the interpreter at random; the damage must end with its process
import ctypes
import sys

for thing in (sys.modules, f"{1}", list, dict, type(sys), sys._getframe()):
    ctypes.memset(id(thing), 0xEE, 64)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
