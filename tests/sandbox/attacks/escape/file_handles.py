# expects: scored 2/2
# why: opens files by handle, past every mount and folder, as escapes from containers do; the filter must refuse
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]


def refusal(numbers, *arguments):
    if libc.syscall(numbers[column], *arguments) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


handle = ctypes.create_string_buffer(b"\x80\x00\x00\x00", 256)
number = ctypes.c_int()
refusals = {
    "name_to_handle_at": refusal((303, 264), -100, b"/", handle, ctypes.byref(number), 0),
    "open_by_handle_at": refusal((304, 265), 0, handle, 0),
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
