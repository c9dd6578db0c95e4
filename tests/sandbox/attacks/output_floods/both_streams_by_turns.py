# expects: scored 2/2
# why: small writes to both streams by turns, which readers of one stream at a time wait for in vain
import os

for _ in range(20_000):
    os.write(1, b"out\n")
    os.write(2, b"err\n")


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
