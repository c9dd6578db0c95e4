# expects: scored 2/2
# why: changes the open files that it was given: pipe size, blocking, owner and signals; the next run has others
import fcntl
import os

for fd in (1, 2, 3):
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, 10, 37)
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 4096)
os.set_blocking(1, False)
os.set_blocking(2, False)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
