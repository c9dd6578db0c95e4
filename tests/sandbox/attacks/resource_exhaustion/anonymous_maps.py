# expects: scored 2/2
# why: maps private memory for ever; the memory limit must refuse with ENOMEM before four gibibytes
import mmap

from probing import refusal, right_if

maps = []


def take():
    while len(maps) < 4096:
        maps.append(mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


said = refusal(take)
count = len(maps)
maps.clear()
contained = said == "ENOMEM" and count < 4096

f = right_if(contained)
