# expects: scored 2/2
# why: changes every setting that children inherit; the next run is no child of it
import gc
import locale
import os
import signal
import sys
import threading
import time

os.umask(0o777)
os.chdir("/")
os.nice(19)
os.environ.update(TZ="Pacific/Kiritimati", PATH="/tmp", LD_PRELOAD="/tmp/x.so", PYTHONSTARTUP="/tmp/x.py")
time.tzset()
locale.setlocale(locale.LC_ALL, "C")
sys.setrecursionlimit(100)
sys.setswitchinterval(5)
sys.set_int_max_str_digits(0)
gc.disable()
threading.stack_size(1 << 16)
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
