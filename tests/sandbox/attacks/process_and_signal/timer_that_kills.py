# expects: scored 2/2
# why: a timer that sends SIGKILL to its own process, so that the end looks like the machine's doing and goes unscored
import ctypes
import os
import struct
import time

from probing import call_refusal, right_if

event = struct.pack("=QiiQ40x", 0, 9, 0, 0)  # SIGEV_SIGNAL, SIGKILL
timer = ctypes.c_int()
made = call_refusal((222, 107), 1, event, ctypes.byref(timer))
if made == "allowed":
    call_refusal((223, 110), timer.value, 0, struct.pack("=qqqq", 0, 0, 0, 1000), None)
    time.sleep(0.05)
print(made)

f = right_if(made in ("allowed", "EPERM"))  # the first process of a namespace is deaf to its own SIGKILL
