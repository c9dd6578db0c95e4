# expects: scored 2/2
# why: 16 MiB of errors at import; both streams must be drained
import sys

for _ in range(16):
    sys.stderr.write("x" * (1 << 20))


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
