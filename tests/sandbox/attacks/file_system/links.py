# expects: scored 2/2
# why: links from /tmp to what it may not write or see; a link must lead nowhere that a path does not
import os

from probing import refusal, right_if

LIBRARY = os.__file__
os.symlink("/etc/passwd", "/tmp/attack-mark-passwd")
os.symlink(LIBRARY, "/tmp/attack-mark-library")
os.symlink("/proc/self/mem", "/tmp/attack-mark-memory")
os.symlink("attack-mark-loop", "/tmp/attack-mark-loop")
said = [
    refusal(open, "/tmp/attack-mark-passwd"),
    refusal(open, "/tmp/attack-mark-library", "a"),
    refusal(open, "/tmp/attack-mark-memory", "rb"),
    refusal(open, "/tmp/attack-mark-loop"),
    refusal(os.link, LIBRARY, "/tmp/attack-mark-hard"),
    refusal(os.rename, LIBRARY, "/tmp/attack-mark-moved"),
]
contained = said[1] in ("EROFS", "EACCES")  # the second where the owner is another
contained = contained and said[:1] + said[2:] == ["ENOENT", "ENOENT", "ELOOP", "EXDEV", "EXDEV"]
print(said)

f = right_if(contained)
