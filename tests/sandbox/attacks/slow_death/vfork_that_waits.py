# expects: timed_out
# why: a process suspended by vfork waits, in the kernel, for a child that never execs; both must be killed
import ctypes
import os

SYS_VFORK = {"x86_64": (58,), "aarch64": (220, 0x4111, 0, 0, 0, 0)}[os.uname().machine]
libc = ctypes.PyDLL(None)
child = os.fork()
if child == 0:
    if libc.syscall(*SYS_VFORK) == 0:
        libc.pause()
os.waitpid(child, 0)
