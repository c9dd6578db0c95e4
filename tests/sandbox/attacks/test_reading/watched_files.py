# expects: scored 2/2
# why: watches the machine's files, to see what tests import and what others open; no watch may be set
import fcntl
import os
import signal
import errno
import ctypes

from probing import refusal, right_if

libc = ctypes.CDLL(None, use_errno=True)
said = []
for call in (libc.inotify_init, lambda: libc.inotify_init1(0)):
    said.append(errno.errorcode[ctypes.get_errno()] if call() < 0 else "allowed")
signal.signal(signal.SIGIO, signal.SIG_IGN)
folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
said.append(refusal(fcntl.fcntl, folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT))
said.append(refusal(fcntl.fcntl, folder, fcntl.F_SETLEASE, fcntl.F_RDLCK))
os.close(folder)
contained = said[:3] == ["EPERM"] * 3 and said[3] != "allowed"
print(said)

f = right_if(contained)
