# expects: scored 2/2
# why: makes empty files and folders for ever; the private file system's count of inodes must end it with ENOSPC
import os
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


made = 0


def make():
    global made
    for made in range(100_000):
        os.mkdir(f"/tmp/attack-mark-{made}")


said = refusal(make)
contained = said == "ENOSPC" and made < 10_000
print(said, made)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
