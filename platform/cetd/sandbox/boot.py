"""How a fork server is started, and comes to its code and descriptors through the socket that is its standard input.

That is all that every way of isolating it hands on. Each message brings descriptors: the first the code, each further
one a slot's control socket and the doors of its control group. The socket itself is the lifeline from then on.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cetd.sandbox.bases import Base
from cetd.sandbox.cgroups import Bounds

# The code of the server in the order of its imports; standard library only.
_INSIDE = (
    "encoding",
    "protocol",
    "process",
    "processors",
    "seccomp",
    "namespaces",
    "landlock",
    "rooms",
    "confinement",
    "guest",
    "sources",
    "exports",
    "answers",
    "candidate",
    "remote_objects",
    "special_methods",
    "proxies",
    "kinds",
    "remote",
    "program_modules",
    "results",
    "script_runner",
    "pytest_runner",
    "judge",
    "slot",
    "server",
)
# Compiles the modules, and starts over with the code alone: what compiling leaves behind would lie between all else.
_BOOT = """
import marshal, os, sys, types
if sys.argv[1] == "text":
    import json, socket
    line = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    receive = lambda: socket.recv_fds(line, 1, 253)[1]
    with open(receive()[0], encoding="utf-8") as file:
        bundle = json.load(file)
    codes = [(name, compile(text, f"<{name}>", "exec", dont_inherit=True)) for name, text in bundle["modules"]]
    config = bundle["config"]
    handed = [receive() for _ in range(config["slots"])]
    config |= {"slots": [slot for slot, *_ in handed], "doors": [doors for _, *doors in handed]}
    config["lifeline"] = line.detach()
    os.set_inheritable(config["lifeline"], True)
    fd = os.memfd_create("bundle", 0)
    with open(os.dup(fd), "wb") as file:
        marshal.dump((codes, config), file)
    os.lseek(fd, 0, os.SEEK_SET)
    os.execv(sys.executable, [*sys.orig_argv[:-1], str(fd)])
with open(int(sys.argv[1]), "rb") as file:
    codes, config = marshal.load(file)
for package in ("cetd", "cetd.sandbox"):
    sys.modules[package] = types.ModuleType(package)
for name, code in codes:
    module = sys.modules["cetd.sandbox." + name] = types.ModuleType("cetd.sandbox." + name)
    setattr(sys.modules["cetd.sandbox"], name, module)
    exec(code, module.__dict__)
del codes, code
sys.modules["cetd.sandbox.server"].main(config)
"""
# Python's. No installed packages, nothing written; and what all forks copy is kept small, here and by what follows.
ARGUMENTS = ("-P", "-s", "-S", "-B", "-X", "utf8", "-X", "no_debug_ranges", "-c", _BOOT, "text")


@dataclass(frozen=True)
class Launch:
    """How to start a server: the command, and the environment (None: this process's).

    ``confinement`` is the name and the arguments of what its processes are locked in by; ``base`` a folder to be
    removed when it has ended; ``group_of_all`` bounds the server as a whole, where slots can have no groups.
    """

    command: list[str]
    environment: Mapping[str, str] | None = None
    confinement: tuple[str, Mapping[str, Any]] = ("namespaces", {})
    base: Base | None = None
    group_of_all: Bounds | None = None


def hand_over(line: socket.socket, config: Mapping[str, Any], slots: Sequence[Sequence[int]]) -> None:
    """Send a server, which reads at the other end of ``line``, its code, ``config``, and each slot's descriptors.

    Raises:
        OSError: it has ended.
    """
    here = Path(__file__).parent
    modules = [(name, (here / f"{name}.py").read_text(encoding="utf-8")) for name in _INSIDE]
    bundle = os.memfd_create("bundle")
    with open(bundle, "w+b") as file:
        file.write(json.dumps({"modules": modules, "config": {**config, "slots": len(slots)}}).encode())
        file.seek(0)
        for fds in ([bundle], *slots):
            socket.send_fds(line, [b"f"], fds)
