# expects: scored 2/2
# why: walks up from its root and from its working folder; above the root must be the root
import os

from probing import right_if

root = sorted(os.listdir("/"))
fd = os.open("/", os.O_RDONLY)
seen = [sorted(os.listdir(path)) for path in ("/..", "/../../..", "/tmp/../..", "../../../..")]
above = os.open("..", os.O_RDONLY, dir_fd=fd)
seen.append(sorted(os.listdir(above)))
os.close(above)
os.close(fd)
contained = all(names == root for names in seen) and not {"etc", "sys", "var", "run"} & set(root)
print(root)

f = right_if(contained)
