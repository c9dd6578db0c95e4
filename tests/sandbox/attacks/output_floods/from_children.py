# expects: scored 2/2
# why: children write without end while it answers, and after; draining must not starve the run or its end
import os

for _ in range(3):
    if os.fork() == 0:
        while True:
            os.write(2, b"x" * 65536)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
