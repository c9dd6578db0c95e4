# expects: scored 2/2
# why: lowers its own limits to nothing, hard ones; the next run must have its own
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
