# expects: scored 2/2
# why: several threads write without end while it answers; draining must not starve the run or its end
import os
import threading


def flood():
    while True:
        os.write(1, b"x" * 4096)


for _ in range(3):
    threading.Thread(target=flood, daemon=True).start()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
