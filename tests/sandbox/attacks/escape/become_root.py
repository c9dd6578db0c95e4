# expects: scored 2/2
# why: becomes other users and groups; only one user is mapped (EINVAL) and groups are out of its hands (EPERM)
import os
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


refusals = {
    "setuid": refusal(os.setuid, 0),
    "setgid": refusal(os.setgid, 0),
    "setresuid": refusal(os.setresuid, 0, 0, 0),
    "setresgid": refusal(os.setresgid, 0, 0, 0),
    "setuid other": refusal(os.setuid, 1000),
    "setgroups": refusal(os.setgroups, []),
}
groups = refusals.pop("setgroups")
contained = set(refusals.values()) == {"EINVAL"} and groups == "EPERM" and 0 not in (os.getuid(), os.geteuid())
print(refusals, groups)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
