# expects: scored 2/2
# why: runs a program from memory only, out of sight of any file system; there must be no such file to run
import os

from probing import refusal, right_if

contained = (refusal(os.memfd_create, "x"), refusal(os.execv, "/proc/self/fd/5", ["x"])) == ("EPERM", "ENOENT")

f = right_if(contained)
