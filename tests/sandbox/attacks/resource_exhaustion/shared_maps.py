# expects: scored 2/2
# why: maps shared anonymous memory, which lives in the kernel's tmpfs; the memory limit must count it all the same
import mmap

from probing import refusal, right_if

maps = []


def take():
    while len(maps) < 4096:
        maps.append(mmap.mmap(-1, 1 << 20, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))


said = refusal(take)
count = len(maps)
maps.clear()
contained = said == "ENOMEM" and count < 4096

f = right_if(contained)
