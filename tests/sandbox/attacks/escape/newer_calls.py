# expects: scored 2/2
# why: makes the calls that are newer than the list of denied ones; the filter must answer that there are none such
import ctypes
import errno

from probing import right_if

libc = ctypes.CDLL(None, use_errno=True)


def refusal(number):
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


refusals = {number: refusal(number) for number in (*range(462, 512), *range(600, 1024), 0x3FFFFFFF)}
named = {number: refusal(number) for number in (443, 457, 458)}  # quotactl_fd, statmount, listmount
contained = set(refusals.values()) == {"ENOSYS"} and set(named.values()) == {"EPERM"}
print({number: said for number, said in refusals.items() if said != "ENOSYS"}, named)

f = right_if(contained)
