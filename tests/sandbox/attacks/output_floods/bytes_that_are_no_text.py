# expects: scored 2/2
# why: output that is no UTF-8, with terminal commands and NULs; whoever reads it as text must not fail
import os

os.write(1, bytes(range(256)) * 1000)
os.write(1, b"\x1b[2J\x1b]0;title\x07\x00\xff\xfe\xed\xa0\x80" * 100)
os.write(2, "\N{GRINNING FACE}".encode()[:3])


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
