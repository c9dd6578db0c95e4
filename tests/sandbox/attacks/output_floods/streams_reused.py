# expects: scored 2/2
# why: gives the numbers of its output to other files, so that a flush goes where it should not
import os
import sys

print("x" * 100_000)
null = os.open("/dev/null", os.O_WRONLY)
os.dup2(null, 1)
os.dup2(3, 2)
os.dup2(null, 2)
sys.stdout.write("y" * 100)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
