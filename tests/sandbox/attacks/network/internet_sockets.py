# expects: scored 2/2
# why: opens internet sockets of every type; the filter must refuse the socket itself
import socket

from probing import refusal, right_if

KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)
refusals = {
    (family, kind): refusal(socket.socket, family, kind)
    for family in (socket.AF_INET, socket.AF_INET6)
    for kind in KINDS
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
