"""The candidate's end of a call channel: answers the judge's requests, and asks back for functions of the tests.

Requests nest: while the program waits for a function of the tests, those may call the program again. A request of the
judge carries a number that its answer repeats; the program's own requests carry zero. What a call prints goes to the
run's output, and along with its answer, for tests that capture it. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import _thread
import builtins
import io
import os
import socket
import sys
from typing import Any

from cetd.sandbox.encoding import decode, encode
from cetd.sandbox.exports import Exports
from cetd.sandbox.protocol import OWN_REQUEST, SEQUENCE, receive_frame, send_frame

_MESSAGE_LENGTH = 2000
_RAISED_BYTES = 32 << 10
_ECHO_LENGTH = 64 << 10


class Answers:
    """Serves ``channel`` for one program."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._exports = Exports(self._ask)
        # Threads of the program that ask at the same time would take each other's answers.
        self._one_thread = _thread.RLock()
        self._out, self._err = _OUT, _ERR
        sys.stdout, sys.stderr = self._out.text, self._err.text
        # Made before the program runs, for when there is no memory left to make it.
        self._out_of_memory = encode(("raise", "MemoryError", "MemoryError", (), "out of memory", None, "", ""))

    def serve(self) -> Any:
        """Answer requests until the answer to an own one arrives, and return that; the outermost never returns.

        Raises:
            ChannelClosedError: the judge is gone.
        """
        while True:
            frame = receive_frame(self._channel)
            number, data = frame[: SEQUENCE.size], frame[SEQUENCE.size :]
            if number == OWN_REQUEST:
                return decode(data, self._exports.resolve)
            send_frame(self._channel, number + self._answer(data))

    def _answer(self, data: bytes) -> bytes:
        try:
            value, changed = self._exports.serve(decode(data, self._exports.resolve))
        except MemoryError:
            return self._out_of_memory
        except BaseException as error:  # noqa: BLE001 - SystemExit and the program's own kinds as well
            return self._raised(error)
        said = self._said()
        try:
            return encode(("return", value, changed, *said), refer=self._exports.refer)
        except MemoryError:
            return self._out_of_memory
        except Exception as error:  # noqa: BLE001 - a value whose methods or class are not what they seem
            return encode(("unencodable", _cut(error), *said))

    def _raised(self, error: BaseException) -> bytes:
        """Name, nearest built-in class, arguments and message of an exception, and itself where it is not built in."""
        said = self._said()
        name = str(type(error).__name__)[:_MESSAGE_LENGTH]
        base = next(kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)
        message = _cut(error)
        itself = None if base == name else error
        try:
            full = ("raise", name, base, tuple(error.args), message, itself, *said)
            return encode(full, _RAISED_BYTES + 2 * _ECHO_LENGTH, refer=self._exports.refer)
        except Exception:  # noqa: BLE001 - arguments or a class that cannot cross
            return encode(("raise", name, base, (), message, None, *said))

    def _said(self) -> tuple[str, str]:
        return self._out.take(), self._err.take()

    def _ask(self, request: tuple[Any, ...]) -> Any:
        """Have the judge do something with what the tests lent, and return or raise what came of it."""
        data = encode(request, refer=self._exports.refer)
        with self._one_thread:
            send_frame(self._channel, OWN_REQUEST + data)
            match self.serve():
                case ("return", value):
                    return value
                case ("raise", error):
                    raise error


def _cut(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_LENGTH]
    except BaseException:  # noqa: BLE001 - a __str__ of the program's
        return ""


class _Echo(io.RawIOBase):
    """The raw side of a standard stream, which also keeps what is written, up to a length, until it is taken."""

    def __init__(self, fd: int) -> None:
        self._fd, self._kept = fd, bytearray()
        self.text = io.TextIOWrapper(io.BufferedWriter(self), encoding="utf-8", errors="replace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        written = os.write(self._fd, data)
        self._kept += bytes(data[: min(written, _ECHO_LENGTH - len(self._kept))])
        return written

    def take(self) -> str:
        """What was written since it was last taken."""
        try:
            self.text.flush()
        except BaseException:  # noqa: BLE001 - closed or patched by the program: its output is lost, no more
            return ""
        kept, self._kept = self._kept, bytearray()
        return kept.decode("utf-8", "replace")


# Made once, before there are candidates, each of which is forked with a copy of its own.
_OUT, _ERR = _Echo(1), _Echo(2)
