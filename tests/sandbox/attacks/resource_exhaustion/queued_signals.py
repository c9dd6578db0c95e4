# expects: scored 2/2
# why: queues blocked realtime signals, each a piece of kernel memory; the limit must be small, and EAGAIN come soon
import ctypes
import errno
import os
import signal

from probing import right_if

libc = ctypes.CDLL(None, use_errno=True)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
queued, said = 0, "none"
while queued < 10_000:
    if libc.sigqueue(os.getpid(), signal.SIGRTMIN, None):
        said = errno.errorcode[ctypes.get_errno()]
        break
    queued += 1
contained = said == "EAGAIN"
print(queued, said)

f = right_if(contained)
