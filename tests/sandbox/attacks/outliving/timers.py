# expects: scored 2/2
# why: leaves timers and alarms that fire after the run; they must be gone with its processes
import os
import signal

signal.signal(signal.SIGALRM, lambda *_: os.write(1, b"attack-mark"))
signal.setitimer(signal.ITIMER_REAL, 60)
if os.fork() == 0:
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    while True:
        signal.pause()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
