# expects: scored 2/2
# why: the call channel names the process that made it (SO_PEERPIDFD); the handle must be good for nothing
import ctypes
import errno
import os
import signal
import socket

from probing import right_if

libc = ctypes.CDLL(None, use_errno=True)
channel = socket.socket(fileno=os.dup(3))
said = {}
try:
    pidfd = channel.getsockopt(socket.SOL_SOCKET, 77)
    try:
        signal.pidfd_send_signal(pidfd, 0)
        said["signal"] = "allowed"
    except OSError as error:
        said["signal"] = errno.errorcode[error.errno]
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        said["wait"] = "allowed"
    except OSError as error:
        said["wait"] = errno.errorcode[error.errno]
    said["getfd"] = errno.errorcode[ctypes.get_errno()] if libc.syscall(438, pidfd, 0, 0) < 0 else "allowed"
    os.close(pidfd)
except OSError as error:
    said = {"option": errno.errorcode[error.errno]}
peer = int.from_bytes(channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
channel.close()
known = ({"signal": "EINVAL", "wait": "ECHILD", "getfd": "EPERM"}, {"option": "ENOPROTOOPT"})
contained = said in known and peer == 0
print(said, peer)

f = right_if(contained)
