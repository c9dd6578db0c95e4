# expects: scored 2/2
# why: makes empty files and folders for ever; the private file system's count of inodes must end it with ENOSPC
import os

from probing import refusal, right_if

made = 0


def make():
    global made
    for made in range(100_000):
        os.mkdir(f"/tmp/attack-mark-{made}")


said = refusal(make)
contained = said == "ENOSPC" and made < 10_000
print(said, made)

f = right_if(contained)
