# expects: scored 2/2
# why: signals every process that it can name; nobody outside may have a number here
import os
import signal

from probing import refusal, right_if

refusals = {pid: refusal(os.kill, pid, signal.SIGKILL) for pid in (*range(2, 400), -1, -2, 1 << 22)}
groups = {group: refusal(os.killpg, group, signal.SIGKILL) for group in range(2, 400)}
contained = set(refusals.values()) | set(groups.values()) == {"ESRCH"} and os.getppid() == 0
print(set(refusals.values()), os.getppid())

f = right_if(contained)
