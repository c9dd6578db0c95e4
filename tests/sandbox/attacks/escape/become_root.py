# expects: scored 2/2
# why: becomes other users and groups; only one user is mapped (EINVAL) and groups are out of its hands (EPERM)
import os

from probing import refusal, right_if

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

f = right_if(contained)
