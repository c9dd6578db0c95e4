# expects: scored 2/2
# why: leaves marks on the open file behind its standard input; the next run must not share it
import fcntl
import os

F_SETSIG = 10
flags = fcntl.fcntl(0, fcntl.F_GETFL)
fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_NONBLOCK | os.O_APPEND)
fcntl.fcntl(0, F_SETSIG, 37)
fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
