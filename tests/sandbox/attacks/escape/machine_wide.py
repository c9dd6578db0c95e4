# expects: scored 2/2
# why: sets what the whole machine shares: clock, names, modules, swap, kernel log; the filter must refuse each
from probing import call_refusal, right_if

CALLS = {
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "personality": (135, 92),
}
refusals = {name: call_refusal(numbers, 0, 0, 0, 0, 0) for name, numbers in CALLS.items()}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
