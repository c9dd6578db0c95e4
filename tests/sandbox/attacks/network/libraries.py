# expects: scored 2/2
# why: reaches out through the standard library's clients; each must end with the refusal of the socket
import socket
import urllib.request
from http.client import HTTPConnection

from probing import right_if

def resolve():
    socket.getaddrinfo("example.com", 80)


def connect():
    socket.create_connection(("127.0.0.1", 80), 0.1)


said = {}
for name, attempt in {
    "url": lambda: urllib.request.urlopen("http://127.0.0.1/", timeout=0.1),
    "connection": connect,
    "http": lambda: HTTPConnection("169.254.169.254", timeout=0.1).request("GET", "/latest/meta-data/"),
    "name": resolve,
}.items():
    try:
        attempt()
        said[name] = "allowed"
    except OSError as error:
        said[name] = type(getattr(error, "reason", error)).__name__
contained = said.pop("name") == "gaierror" and set(said.values()) == {"PermissionError"}
print(said)

f = right_if(contained)
