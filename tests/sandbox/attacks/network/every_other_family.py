# expects: scored 2/2
# why: opens sockets and pairs of every address family, netlink, packet, alg and vsock among them; all must be refused
import ctypes

from probing import call_refusal, right_if

refusals = {
    (call, family): call_refusal(numbers, family, kind, 0, ctypes.create_string_buffer(8))
    for call, numbers in {"socket": (41, 198), "socketpair": (53, 199)}.items()
    for family in (*range(64), 1 << 16, (1 << 32) | 2)
    for kind in (1, 2, 3, 5)
    if family != 1
}
contained = set(refusals.values()) == {"EPERM"}
print({key: said for key, said in refusals.items() if said != "EPERM"})

f = right_if(contained)
