"""A run of nothing, in the server before it forks slots: every fork finds done what a first time does.

Python remembers where it has found attributes, and rewrites code that it has executed a few times. Both write to memory
that forks share and would each have to copy. So each end of a call channel has its turn here, with the other end in a
process of its own; no run has anything to do with it. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cetd.sandbox import candidate, process
from cetd.sandbox.encoding import decode, encode
from cetd.sandbox.protocol import ChannelClosedError
from cetd.sandbox.remote import Remote
from cetd.sandbox.script_runner import ScriptRunner

# Python rewrites what it executes for the eighth time.
_TIMES = 8
_MODULE = "rehearsed"
_PROGRAM = {f"{_MODULE}.py": "def f(x):\n    return [y + 1 for y in x]\n"}
_TESTS = f"""
from {_MODULE} import f
def test_that_passes():
    assert f([1, 2]) == [2, 3]
def test_that_fails():
    assert f([1, 2]) == []
"""
_JOB = {"tests": {"test_it.py": _TESTS}, "arguments": (), "program_paths": tuple(_PROGRAM)}


def rehearse() -> None:
    """Be both ends, one after the other, and leave this process as it was."""
    for here, there in ((_candidate, _judge), (_judge, _candidate)):
        for _ in range(_TIMES):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                pid = process.spawn()
                if pid == 0:
                    ours.close()
                    _be(there, theirs)
                theirs.close()
                with _undone():
                    here(ours)
            os.waitpid(pid, 0)


def _be(end: Callable[[socket.socket], None], channel: socket.socket) -> None:
    try:
        end(channel)
    finally:
        os._exit(0)


def _candidate(channel: socket.socket) -> None:
    try:
        candidate.answer(channel, decode(encode(_PROGRAM)))
    except ChannelClosedError:
        return


def _judge(channel: socket.socket) -> None:
    remote = Remote(channel)
    remote.wait_until_ready()
    encode(ScriptRunner(decode(encode(_JOB))).run(remote))


@contextmanager
def _undone() -> Iterator[None]:
    finders, streams = list(sys.meta_path), (sys.stdout, sys.stderr)
    yield
    sys.meta_path[:] = finders
    sys.stdout, sys.stderr = streams
    sys.modules.pop(_MODULE, None)
