# expects: scored 2/2
# why: a child keeps the output open and goes on writing after the last answer; nobody may wait for its end
import os

if os.fork() == 0:
    os.setsid()
    while True:
        os.write(1, b"attack-mark" * 1000)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
