# expects: crashed
# why: dies with a core dump, which some machines hand to a program of theirs; no limit of ours may allow one
import os
import resource

# 1 is what keeps the kernel from starting such a program as well; 0 only keeps it from writing a file
if resource.getrlimit(resource.RLIMIT_CORE) in ((1, 1), (0, 0)):  # the second where the machine allows no more
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ValueError, PermissionError):
        os.abort()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
