# expects: scored 2/2
# why: searches the memory that it inherited, byte by byte, for the tests' text; it must never have been there
import ctypes
import os
import re
import sys

from probing import right_if

MARK = re.compile(b"test_numbe[r]")  # a pattern, so as not to find itself
libc = ctypes.CDLL(None, use_errno=True)
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
read, write = os.pipe()
found = seen = 0
places = [(libc.sbrk(0) - (32 << 20), libc.sbrk(0))]
for known in (object(), sys.modules, os.environ, bytearray(1 << 20)):
    places.append((id(known) - (24 << 20), id(known) + (24 << 20)))
for start, end in places:
    for at in range(start & ~4095, end, 32768):
        count = libc.write(write, at, 32768)  # an error, and no more, where nothing is mapped
        if count > 0:
            data = os.read(read, count)
            seen += count
            found += len(MARK.findall(data))
contained = found == 0 and seen > 1 << 20
print(found, seen)

f = right_if(contained)
