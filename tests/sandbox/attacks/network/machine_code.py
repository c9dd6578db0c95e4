# expects: scored 2/2
# why: calls socket by machine code of its own, past every patched function; the kernel must refuse all the same
import ctypes
import mmap
import os

from probing import right_if

CODE = {
    "x86_64": bytes.fromhex("b829000000bf02000000be0100000031d20f05c3"),
    "aarch64": bytes.fromhex("c8188052400080d2210080d2020080d2010000d4c0035fd6"),
}[os.uname().machine]
code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
code.write(CODE)
said = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
contained = said == -1  # EPERM, as the kernel says it
print(said)

f = right_if(contained)
