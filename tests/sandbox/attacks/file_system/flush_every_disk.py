# expects: scored 2/2
# why: flushes the machine's disks, for which every process there has to wait; the filter must refuse
import os

from probing import call_refusal, right_if

fd = os.open(os.__file__, os.O_RDONLY)
refusals = {"sync": call_refusal((162, 81)), "syncfs": call_refusal((306, 267), fd)}
os.close(fd)
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
