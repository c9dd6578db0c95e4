# expects: scored 2/2
# why: reads memory and environments and writes kernel settings through /proc and /sys; neither may be there
import os

from probing import refusal, right_if

PATHS = (
    "/proc/self/mem",
    "/proc/self/maps",
    "/proc/self/environ",
    "/proc/1/environ",
    "/proc/1/root/etc/passwd",
    "/proc/1/fd/3",
    "/proc/self/fd/0",
    "/proc/self/ns/user",
    "/proc/self/oom_score_adj",
    "/proc/thread-self/attr/current",
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/mounts",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/class/net/lo/address",
)
refusals = {path: refusal(open, path, mode) for path in PATHS for mode in ("rb", "r+b")}
contained = set(refusals.values()) == {"ENOENT"} and os.listdir("/proc") == [] and not os.path.exists("/sys")
print(refusals)

f = right_if(contained)
