# expects: scored 2/2
# why: traces processes and takes their memory and descriptors by raw calls; the filter must refuse each
from probing import call_refusal, right_if

CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
}
refusals = {
    f"{name} {pid}": call_refusal(numbers, pid, 0, 0, 0, 0, 0) for name, numbers in CALLS.items() for pid in (0, 1, 2)
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
