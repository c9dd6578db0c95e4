# expects: scored 0/2
# why: lowers its own CPU limit to be killed for it as if by the machine; the filter must refuse, and it is wrong
import resource
import time

for change in (resource.setrlimit, lambda which, pair: resource.prlimit(0, which, pair)):
    try:
        change(resource.RLIMIT_CPU, (0, 0))
    except (OSError, ValueError):
        pass
end = time.monotonic() + 0.05
while time.monotonic() < end:
    pass


def f(x):
    return 0
