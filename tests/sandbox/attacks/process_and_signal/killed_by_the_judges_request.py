# expects: scored 0/2
# why: asks for SIGKILL whenever its channel is written to, so that the judge's own request would be what kills it
import fcntl
import os
import signal

F_SETSIG = 10
fcntl.fcntl(3, F_SETSIG, signal.SIGKILL)
fcntl.fcntl(3, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(3, fcntl.F_SETFL, fcntl.fcntl(3, fcntl.F_GETFL) | os.O_ASYNC)


def f(x):
    return 0
