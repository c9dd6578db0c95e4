"""The warm fork server: a process in the sandbox that has Python loaded, for slots to fork judges and candidates from.

The first process makes one slot process per concurrent run and ends with the first of them that dies, which takes the
whole PID namespace along: the parent sees every run in flight fail, and starts a new server.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
from typing import Any

from cetd.sandbox import process
from cetd.sandbox.confinement import Confinement, Landlocked, Limits, Namespaces
from cetd.sandbox.guest import Guest
from cetd.sandbox.processors import Processors
from cetd.sandbox.slot import Slot, as_child

# Loaded once, so that programs and tests that import them start at once; what they map, every fork has to copy.
_WARM = (
    "bisect",
    "collections",
    "copy",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
    "typing",
)


def main(config: dict[str, Any]) -> None:
    """Serve runs on ``config["slots"]`` (sequenced-packet sockets) until a slot or the parent's lifeline ends.

    bubblewrap's --die-with-parent does not suffice: it may not signal a server that has left root.
    """
    del os.environ["LD_BIND_NOW"]
    _load_random()
    for name in _WARM:
        importlib.import_module(name)
    limits = Limits(
        cpu_s=config["cpu_s"],
        address_bytes=process.address_space() + (config["memory_mb"] << 20),
        processes=config["processes"],
        file_mb=config["file_mb"],
    )
    confinement = _confinement(limits, *config["confinement"])
    process.end_with_parent()
    sys.path.append(confinement.packages)
    slots: list[int] = config["slots"]
    processors = Processors(len(slots))
    gc.collect()
    gc.freeze()  # keeps collections in the forks from copying shared pages
    served: set[int] = set()
    doors: list[list[int]] = config["doors"]
    for slot, own_doors in zip(slots, doors, strict=True):
        pid = process.spawn()
        if pid == 0:
            _silence()
            for door in own_doors:
                os.write(door, b"0")
            for other in (*slots, *(door for some in doors for door in some)):
                if other != slot:
                    os.close(other)
            processors.serve(slots.index(slot))
            confinement.serve(slots.index(slot))
            as_child(Slot(socket.socket(fileno=slot), confinement, processors).serve)
        served.add(pid)
    for fd in (*slots, *(door for some in doors for door in some)):
        os.close(fd)
    _await_end(served, config["lifeline"])
    os._exit(0)


def _await_end(slots: set[int], lifeline: int) -> None:
    """Until a slot ends, or the other end of the lifeline; strays come to the first process of a namespace."""
    told, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ends = select.poll()
    for fd in (told, lifeline):
        ends.register(fd, select.POLLIN)
    while True:
        while ended := os.waitpid(-1, os.WNOHANG)[0]:
            if ended in slots:
                return
        if lifeline in [fd for fd, _ in ends.poll()]:
            return
        os.read(told, 4096)


def _confinement(limits: Limits, kind: str, arguments: dict[str, Any]) -> Confinement:
    match kind:
        case "gvisor":
            return Guest(limits, **arguments)
        case "landlock":
            return Landlocked(limits, **arguments)
        case _:
            return Namespaces(limits)


def _load_random() -> None:
    """So that the same program draws the same numbers in every run: seeded here, and not again after each fork."""
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    import random

    os.register_at_fork = register
    random.seed(0)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    os.close(nowhere)
