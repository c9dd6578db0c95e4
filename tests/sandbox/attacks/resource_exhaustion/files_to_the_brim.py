# expects: scored 2/2
# why: fills /tmp with files; the private file system must end with ENOSPC before a gibibyte, one file with EFBIG
import os

from probing import refusal, right_if

written = 0


def fill():
    global written
    for number in range(1024):
        with open(f"/tmp/attack-mark-{number}", "wb", buffering=0) as file:
            for _ in range(1024):
                if file.write(bytes(1024)) < 1024:
                    return
                written += 1024


def stretch():
    with open("/tmp/attack-mark-0", "wb") as file:
        os.truncate(file.fileno(), 1 << 40)


filled, stretched = refusal(fill), refusal(stretch)
contained = filled == "ENOSPC" and written < 1 << 30 and stretched == "EFBIG"
print(filled, written, stretched)

f = right_if(contained)
