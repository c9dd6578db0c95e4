# expects: scored 2/2
# why: asks for the kinds of memory that no limit of a process counts; the system call filter must refuse each
from probing import call_refusal, right_if

CALLS = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
refusals = {name: call_refusal(numbers, b"x", 0, 0, 0) for name, numbers in CALLS.items()}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
