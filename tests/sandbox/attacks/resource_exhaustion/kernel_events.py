# expects: scored 2/2
# why: takes most of the asynchronous input and output that a machine has for all; refused
import ctypes

from probing import call_refusal, right_if

context = ctypes.c_ulong()
said = call_refusal((206, 0), 65000, ctypes.byref(context))
print(said)

f = right_if(said == "EPERM")
