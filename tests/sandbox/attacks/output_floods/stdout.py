# expects: scored 2/2
# why: 64 MiB of output at import; it must be drained and dropped, and a correct program must not time out
import os

for _ in range(64):
    os.write(1, b"x" * (1 << 20))


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
