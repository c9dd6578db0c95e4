# expects: scored 2/2
# why: runs a program from memory only, out of sight of any file system; there must be no such file to run
import os
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


contained = (refusal(os.memfd_create, "x"), refusal(os.execv, "/proc/self/fd/5", ["x"])) == ("EPERM", "ENOENT")


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
