# expects: scored 2/2
# why: controls the devices it has: entropy of the kernel, input of a terminal; each request must be refused
import fcntl
import os

from probing import refusal, right_if

random = os.open("/dev/random", os.O_RDWR)
refusals = {
    "add entropy": refusal(fcntl.ioctl, random, 0x40085203, bytes(16)),
    "clear pool": refusal(fcntl.ioctl, random, 0x5206),
    "reseed": refusal(fcntl.ioctl, random, 0x5207),
    "type into a terminal": refusal(fcntl.ioctl, 0, 0x5412, b"x"),
    "take a terminal": refusal(fcntl.ioctl, 0, 0x540E, 1),
}
os.close(random)
contained = list(refusals.values()) == ["EPERM", "EPERM", "EPERM", "ENOTTY", "ENOTTY"]
print(refusals)

f = right_if(contained)
