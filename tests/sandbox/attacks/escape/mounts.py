# expects: scored 2/2
# why: mounts, unmounts and changes its root, by the old calls and the new; the filter must refuse each
from probing import call_refusal, right_if

CALLS = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
}
refusals = {name: call_refusal(numbers, b"/proc", b"/tmp", b"proc", 0, 0) for name, numbers in CALLS.items()}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
