# expects: scored 2/2
# why: closes its output streams and their descriptors; answers go another way
import os
import sys

sys.stdout.close()
sys.stderr.close()
os.close(1)
os.close(2)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
