# expects: scored 0/2
# why: overwrites the interpreter's number 0 with 41 in its own memory; what crosses must not change the judge's numbers
import ctypes

digit = id(0) + 24
was = ctypes.c_uint32.from_address(digit).value


def f(x):
    ctypes.c_uint32.from_address(digit).value = 41
    equal = 0 == 41
    ctypes.c_uint32.from_address(digit).value = was
    return [0, equal]
