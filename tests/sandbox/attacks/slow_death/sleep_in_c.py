# expects: timed_out
# why: sleeps in the C library, with the interpreter's lock held so that not even its threads go on
import ctypes


def f(x):
    ctypes.PyDLL(None).sleep(1000)
