"""What several hostile programs have in common; each that imports it is run with it, as a module of its own."""

import ctypes
import errno
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
# The column of a pair of system call numbers.
COLUMN = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(attempt, *arguments):
    """The name of the error that an attempt ends with, or "allowed"."""
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


def call_refusal(numbers, *arguments):
    """The same of a system call, by its numbers on each machine."""
    if _libc.syscall(numbers[COLUMN], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


def right_if(contained):
    """The function that tests ask for: it answers rightly if the program was contained."""

    def f(x):
        if not contained:
            return "a breach"
        return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)

    return f


def send(sequence, answer):
    """Write a frame to the channel, past the code that serves it."""
    from cetd.sandbox.encoding import encode

    data = struct.pack("<Q", sequence) + encode(answer)
    os.write(3, struct.pack("<I", len(data)) + data)
