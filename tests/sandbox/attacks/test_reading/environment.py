# expects: scored 2/2
# why: looks for names, tokens and paths in its environment and arguments; there may be only what Python needs
import ctypes
import os
import sys

from probing import right_if

KNOWN = {"HOME", "LANG", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD", "PYTHONHASHSEED"}
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
names, at = set(), 0
while environ[at]:
    names.add(environ[at].partition(b"=")[0].decode())
    at += 1
contained = set(os.environ) <= KNOWN and names <= KNOWN and len(names) >= 3
contained = contained and not any("test" in word for word in sys.orig_argv if len(word) < 100)
print(names, set(os.environ))

f = right_if(contained)
