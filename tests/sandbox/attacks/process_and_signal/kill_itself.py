# expects: scored 0/2
# why: dies by SIGKILL as if from outside, which would be no fault of its own; it must live on and be wrong
import ctypes
import os
import signal
import struct
import threading

libc = ctypes.CDLL(None, use_errno=True)
for attempt in (
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: os.kill(0, signal.SIGKILL),
    lambda: os.kill(-1, signal.SIGKILL),
    lambda: os.killpg(os.getpgrp(), signal.SIGKILL),
    lambda: signal.raise_signal(signal.SIGKILL),
    lambda: signal.pthread_kill(threading.get_ident(), signal.SIGKILL),
    lambda: signal.pidfd_send_signal(os.pidfd_open(os.getpid()), signal.SIGKILL),
    lambda: libc.sigqueue(os.getpid(), signal.SIGKILL, None),
):
    try:
        attempt()
    except OSError:
        pass
if os.fork() == 0:  # from a child, to its parent
    os.kill(1, signal.SIGKILL)
    os._exit(0)
os.wait()
event = ctypes.create_string_buffer(struct.pack("=QiI48x", 0, signal.SIGKILL, 0))
timer, when = ctypes.c_void_p(), ctypes.create_string_buffer(struct.pack("=4q", 0, 1_000_000, 0, 1_000_000))
libc.timer_create(1, event, ctypes.byref(timer))
libc.timer_settime(timer, 0, when, None)
signal.sigtimedwait([], 0.02)


def f(x):
    return 0
