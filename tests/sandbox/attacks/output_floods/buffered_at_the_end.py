# expects: scored 2/2
# why: leaves megabytes in buffers of its own, to be written when the answer is due
import io
import sys

sys.stdout = io.TextIOWrapper(io.BufferedWriter(open(1, "wb", buffering=0, closefd=False), 8 << 20))


def f(x):
    sys.stdout.write("x" * (7 << 20))
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
