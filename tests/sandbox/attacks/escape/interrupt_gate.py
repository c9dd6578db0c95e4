# expects: crashed
# why: calls the kernel by int 0x80, whose numbers mean other calls; the filter must kill for the other architecture
import ctypes
import mmap
import os

if os.uname().machine != "x86_64":
    os.abort()
code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
print(ctypes.CFUNCTYPE(ctypes.c_long)(address)())


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
