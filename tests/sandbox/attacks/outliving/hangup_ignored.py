# expects: scored 2/2
# why: children that ignore every signal which asks them to go; SIGKILL does not ask
import os
import signal
import time

for _ in range(5):
    if os.fork() == 0:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1000)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
