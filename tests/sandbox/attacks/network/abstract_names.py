# expects: scored 2/2
# why: names sockets in the abstract namespace, which is the network's and not the file system's; no name may be had
import socket

from probing import refusal, right_if

refusals = {}
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    with socket.socket(socket.AF_UNIX, kind) as one:
        refusals["bind", kind] = refusal(one.bind, "\0attack")
        refusals["autobind", kind] = refusal(one.bind, "")
        refusals["connect", kind] = refusal(one.connect, "\0attack")
        refusals["connect file", kind] = refusal(one.connect, "/run/dbus/system_bus_socket")
        refusals["listen", kind] = refusal(one.listen)
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
