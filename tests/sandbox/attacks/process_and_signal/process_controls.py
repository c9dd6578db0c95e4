# expects: scored 0/2
# why: dies with its parent, hides from dumps, asks for strict mode; none of it may turn its failure into another's
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NAME = 1, 4, 22, 36, 15
libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
libc.prctl(PR_SET_SECCOMP, 1, 0, 0, 0)
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
libc.prctl(PR_SET_NAME, b"bwrap", 0, 0, 0)


def f(x):
    return 0
