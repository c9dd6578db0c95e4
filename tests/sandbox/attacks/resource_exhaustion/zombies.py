# expects: scored 2/2
# why: ends children without waiting for them; the dead count as well until the limit refuses with EAGAIN
import os

from probing import refusal, right_if

dead = 0


def litter():
    global dead
    for dead in range(4096):
        if os.fork() == 0:
            os._exit(0)


said = refusal(litter)
contained = said == "EAGAIN" and dead < 1024
print(said, dead)

f = right_if(contained)
