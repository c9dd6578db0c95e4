# expects: scored 2/2
# why: asks for realtime, deadline and higher priority, with which it could starve the machine; each must be refused
import ctypes
import errno
import os
import struct

from probing import refusal, right_if

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
deadline = struct.pack("=IIQiIQQQ", 48, 6, 0, 0, 0, 10**6, 10**7, 10**7)
refusals = {
    "fifo": refusal(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
    "round robin": refusal(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1)),
    "nice": refusal(os.setpriority, os.PRIO_PROCESS, 0, -20),
    "deadline": errno.errorcode[ctypes.get_errno()]
    if libc.syscall((314, 274)[column], 0, deadline, 0)
    else "allowed",
    "realtime io": errno.errorcode[ctypes.get_errno()]
    if libc.syscall((251, 30)[column], 1, 0, 1 << 13)
    else "allowed",
}
contained = refusals.pop("nice") in ("EACCES", "EPERM") and set(refusals.values()) == {"EPERM"}
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(refusals)

f = right_if(contained)
