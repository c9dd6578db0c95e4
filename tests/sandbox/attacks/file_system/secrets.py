# expects: scored 2/2
# why: opens what machines keep secrets in; none of it may exist here
import glob
import os

from probing import refusal, right_if

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

f = right_if(contained)
