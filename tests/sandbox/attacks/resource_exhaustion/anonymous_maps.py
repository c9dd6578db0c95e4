# expects: scored 2/2
# why: maps private memory for ever; the memory limit must refuse with ENOMEM before four gibibytes
import mmap
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


maps = []


def take():
    while len(maps) < 4096:
        maps.append(mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


said = refusal(take)
count = len(maps)
maps.clear()
contained = said == "ENOMEM" and count < 4096


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
