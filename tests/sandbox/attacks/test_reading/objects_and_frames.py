# expects: scored 2/2
# why: searches all objects and frames of its process for the tests' text; it must never have been there
import gc
import re
import sys

from probing import right_if

MARK = re.compile("test_numbe[r]")  # a pattern, so as not to find itself
found, visited = [], set()
pending = [sys.modules, *gc.get_objects()]
frame = sys._getframe()
while frame:
    pending += [frame.f_code, *frame.f_locals.values(), *frame.f_globals.values()]
    frame = frame.f_back
while pending:
    thing = pending.pop()
    if id(thing) in visited or thing is visited or thing is pending:
        continue
    visited.add(id(thing))
    if type(thing) in (str, bytes) and MARK.search(thing if type(thing) is str else thing.decode("latin-1")):
        found.append(thing[:80])
    pending += gc.get_referents(thing)
seen = len(visited)
contained = not found and seen > 10_000
print(found, seen)

f = right_if(contained)
