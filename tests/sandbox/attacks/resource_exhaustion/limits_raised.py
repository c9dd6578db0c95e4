# expects: scored 2/2
# why: raises each of its limits; a hard limit must not rise, and those that decide whose fault an end is stay as set
import resource

from probing import right_if

NAMES = ("AS", "CORE", "CPU", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RTPRIO", "SIGPENDING")
said = {}
for name in NAMES:
    for limits in ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (1 << 40, 1 << 40)):
        for change in (resource.setrlimit, lambda which, pair: resource.prlimit(0, which, pair)):
            try:
                change(getattr(resource, f"RLIMIT_{name}"), limits)
                said[name] = "allowed"
            except (ValueError, PermissionError) as error:
                said.setdefault(name, type(error).__name__)
contained = "allowed" not in said.values() and len(said) == len(NAMES)
print(said)

f = right_if(contained)
