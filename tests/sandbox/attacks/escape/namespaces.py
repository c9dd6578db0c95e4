# expects: scored 2/2
# why: asks for a user namespace, in which it would be root, by every call there is; the filter must refuse each
from probing import call_refusal, right_if

NEW_USER = 0x10000000
CALLS = {"unshare": (272, 97), "setns": (308, 268), "clone": (56, 220), "clone3": (435, 435)}
refusals = {name: call_refusal(numbers, NEW_USER, 0, 0, 0, 0) for name, numbers in CALLS.items()}
KINDS = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)
others = {call_refusal(CALLS["unshare"], kind) for kind in KINDS} | {
    call_refusal(CALLS["clone"], kind | 17, 0, 0, 0, 0) for kind in KINDS
}
contained = refusals == {"unshare": "EPERM", "setns": "EPERM", "clone": "EPERM", "clone3": "ENOSYS"}
contained = contained and others == {"EPERM"}
print(refusals, others)

f = right_if(contained)
