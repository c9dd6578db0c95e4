# expects: scored 2/2
# why: opens what machines keep secrets in; none of it may exist here
import glob
import os
import errno


def refusal(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"


PATHS = (
    "/etc/passwd",
    "/etc/shadow",
    "/etc/hostname",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/.dockerenv",
    "/bin/sh",
    "/usr/bin/env",
    "/tmp/../../../etc/shadow",
)
refusals = {path: refusal(open, path) for path in PATHS}
HOMES = ("/home/*", "/*")
homes = [
    path for home in HOMES for kept in (".*", ".ssh/*", ".*/*") for path in glob.glob(f"{home}/{kept}") if os.path.isfile(path)
]
contained = set(refusals.values()) == {"ENOENT"} and homes == []
print(refusals, homes)


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
