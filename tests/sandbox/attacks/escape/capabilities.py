# expects: scored 2/2
# why: looks for capabilities and takes some back; there must be none, and no way to gain any
import ctypes
import errno

from probing import right_if

libc = ctypes.CDLL(None, use_errno=True)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
data = (ctypes.c_uint32 * 6)()
libc.capget(header, data)
held = list(data)
data[0] = data[1] = 1 << 21
raised = errno.errorcode[ctypes.get_errno()] if libc.capset(header, data) else "allowed"
ambient = errno.errorcode[ctypes.get_errno()] if libc.prctl(47, 2, 21, 0, 0) else "allowed"
no_new_privileges = libc.prctl(39, 0, 0, 0, 0)
libc.prctl(38, 0, 0, 0, 0)
contained = held == [0] * 6 and (raised, ambient) == ("EPERM", "EPERM")
contained = contained and no_new_privileges == libc.prctl(39, 0, 0, 0, 0) == 1
print(held, raised, ambient, no_new_privileges)

f = right_if(contained)
