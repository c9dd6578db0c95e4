# expects: scored 2/2
# why: looks for inherited descriptors that lead to tests, verdicts or other runs; there may be four, of known kinds
import os
import stat

from probing import refusal, right_if

KINDS = {0: stat.S_IFCHR, 1: stat.S_IFIFO, 2: stat.S_IFIFO, 3: stat.S_IFSOCK}
found = {}
for fd in range(1 << 12):
    try:
        found[fd] = stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        continue
said = [refusal(os.read, fd, 1) for fd in (1, 2)]
contained = found == KINDS and said == ["EBADF"] * 2 and os.read(0, 100) == b""
print(found, said)

f = right_if(contained)
