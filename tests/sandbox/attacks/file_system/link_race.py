# expects: scored 2/2
# why: swaps a folder for a link while another thread writes through it; it may only ever hit its own files
import errno
import os
import threading

from probing import right_if

os.mkdir("/tmp/attack-mark-real")
os.symlink("/tmp/attack-mark-real", "/tmp/attack-mark-way")
target = os.path.dirname(os.__file__)
stop, said = threading.Event(), set()


def swap():
    while not stop.is_set():
        for place in (target, "/tmp/attack-mark-real", "/etc", "/proc"):
            os.symlink(place, "/tmp/attack-mark-next")
            os.replace("/tmp/attack-mark-next", "/tmp/attack-mark-way")


racer = threading.Thread(target=swap)
racer.start()
for _ in range(2000):
    try:
        os.close(os.open("/tmp/attack-mark-way/attack-mark", os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        said.add(errno.errorcode[error.errno])
stop.set()
racer.join()
contained = said <= {"ENOENT", "EROFS", "EACCES"} and not os.path.exists(f"{target}/attack-mark")
print(said)

f = right_if(contained)
