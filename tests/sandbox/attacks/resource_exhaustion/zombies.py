# expects: scored 2/2
# why: ends children without waiting for them; the dead count as well until the limit refuses with EAGAIN
import os
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


dead = 0


def litter():
    global dead
    for dead in range(4096):
        if os.fork() == 0:
            os._exit(0)


said = refusal(litter)
contained = said == "EAGAIN" and dead < 1024
print(said, dead)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
