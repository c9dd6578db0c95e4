# expects: scored 2/2
# why: calls the C library past every patched function: shells, programs, sockets; there is nothing to run or reach
import ctypes
import errno

from probing import right_if

libc = ctypes.CDLL(None, use_errno=True)


def said(result):
    return errno.errorcode[ctypes.get_errno()] if result < 0 else result


arguments = (ctypes.c_char_p * 2)(b"sh", None)
answers = {
    "system": libc.system(b"echo attack-mark") >> 8,
    "execve": said(libc.execve(b"/bin/sh", arguments, None)),
    "socket": said(libc.socket(2, 1, 0)),
    "mount": said(libc.mount(b"proc", b"/proc", b"proc", 0, None)),
    "ptrace": said(libc.ptrace(16, 1, 0, 0)),
    "unshare": said(libc.unshare(0x10000000)),
    "sethostname": said(libc.sethostname(b"x", 1)),
    "chroot": said(libc.chroot(b"/tmp")),
}
expected = dict.fromkeys(answers, "EPERM") | {"system": 127, "execve": "ENOENT"}
contained = answers == expected
print(answers)

f = right_if(contained)
