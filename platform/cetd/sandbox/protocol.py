"""The messages of a run: parent and slot (fixed-size records), judge and candidate (frames), judge's verdict.

A slot process forks every judge and candidate, so whatever it reads would stay in its memory and be inherited by later
candidates. Therefore it reads nothing but START records: program, tests, verdict and output travel in descriptors
that it passes on unread. Runs inside the sandbox too: standard library only.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

from cetd.sandbox.encoding import MAX_BYTES, EncodingError

# Descriptors sent along with START, in this order.
START_FDS = ("program", "tests", "verdict", "output")

SUITE_BYTES = 16

_START = struct.Struct(f"<Q{SUITE_BYTES}sd")
_DONE = struct.Struct("<QBBiiddq")
_LENGTH = struct.Struct("<I")

# Precedes each frame of a call channel: a request's number is repeated by its answer. The judge's requests count from
# one; those of the candidate, which only come while the judge waits for an answer, carry none.
SEQUENCE = struct.Struct("<Q")
OWN_REQUEST = SEQUENCE.pack(0)


class Start(NamedTuple):
    """Begin a run; ``timeout_s`` is its wall clock in seconds, ``suite`` differs where the tests differ."""

    run: int
    suite: bytes
    timeout_s: float

    def pack(self) -> bytes:
        return _START.pack(*self)

    @staticmethod
    def unpack(data: bytes) -> Start:
        return Start(*_START.unpack(data))


class Done(NamedTuple):
    """A run is over and nothing of it is left.

    Statuses are those of wait(2), times are in seconds, ``peak_kb`` is the candidate's largest resident size.
    """

    run: int
    timed_out: bool
    candidate_was_killed: bool
    candidate_status: int
    judge_status: int
    wall_s: float
    cpu_s: float
    peak_kb: int

    def pack(self) -> bytes:
        return _DONE.pack(*self)

    @staticmethod
    def unpack(data: bytes) -> Done:
        run, timed_out, killed, *rest = _DONE.unpack(data)
        return Done(run, bool(timed_out), bool(killed), *rest)


class ChannelClosedError(Exception):
    """The other end of a call channel is gone."""


def send_frame(channel: socket.socket, data: bytes) -> None:
    """Send one length-prefixed frame.

    Raises:
        ChannelClosedError: nobody reads any more.
    """
    try:
        channel.sendall(_LENGTH.pack(len(data)) + data)
    except OSError as error:
        raise ChannelClosedError(str(error)) from None


def receive_frame(channel: socket.socket) -> bytes:
    """Receive one frame.

    Raises:
        ChannelClosedError: the other end is gone.
        EncodingError: the frame claims more than the limit.
    """
    (length,) = _LENGTH.unpack(_receive(channel, _LENGTH.size))
    if length > MAX_BYTES:
        raise EncodingError(f"a frame of {length} bytes exceeds the limit of {MAX_BYTES}")
    return _receive(channel, length)


def _receive(channel: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = channel.recv(min(size, 1 << 18))
        except OSError as error:
            raise ChannelClosedError(str(error)) from None
        if not part:
            raise ChannelClosedError("end of stream")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_all(fd: int) -> bytes:
    """The whole of a seekable descriptor, from its start."""
    size = os.fstat(fd).st_size
    parts, at = [], 0
    while at < size and (part := os.pread(fd, size - at, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write ``data`` at the descriptor's position, in as many steps as it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
