# expects: scored 2/2
# why: changes the standard library, from which every later run would import; it must be read-only in every way
import os

from probing import refusal, right_if

PATH = os.__file__
FOLDER = os.path.dirname(PATH)
refusals = {
    "write": refusal(open, PATH, "w"),
    "append": refusal(open, PATH, "a"),
    "truncate": refusal(os.truncate, PATH, 0),
    "remove": refusal(os.remove, PATH),
    "rename": refusal(os.rename, PATH, f"{FOLDER}/attack-mark"),
    "mode": refusal(os.chmod, PATH, 0o777),
    "times": refusal(os.utime, PATH),
    "attribute": refusal(os.setxattr, PATH, "user.attack", b"x"),
    "folder": refusal(os.mkdir, f"{FOLDER}/attack-mark"),
    "link": refusal(os.symlink, "/tmp/x", f"{FOLDER}/attack-mark.py"),
}
contained = set(refusals.values()) <= {"EROFS", "EACCES"}  # the second where the owner is another
print(refusals)

f = right_if(contained)
