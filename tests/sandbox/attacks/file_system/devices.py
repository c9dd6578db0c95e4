# expects: scored 2/2
# why: opens and makes devices; there may be four harmless ones, and no more can be made
import os
import stat

from probing import refusal, right_if

NAMES = ("mem", "kmsg", "port", "full", "tty", "ptmx", "shm", "fuse", "kvm", "net/tun", "loop0", "sda", "vda", "nvidia0")
missing = {name: refusal(open, f"/dev/{name}", "r+b") for name in NAMES}
made = {
    kind: refusal(os.mknod, f"/tmp/attack-mark-{kind}", kind | 0o666, os.makedev(1, 1))
    for kind in (stat.S_IFCHR, stat.S_IFBLK)
}
contained = set(missing.values()) == {"ENOENT"} and set(made.values()) == {"EPERM"}
contained = contained and sorted(os.listdir("/dev")) == ["null", "random", "urandom", "zero"]
print(missing, made)

f = right_if(contained)
