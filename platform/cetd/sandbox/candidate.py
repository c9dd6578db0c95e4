"""The candidate process: the only one that executes the program under test.

It locks itself in, then answers calls on its channel until it is killed. It is given the program and, one at a time,
the calls that tests make; never a test, an expected value or a verdict. Everything here may be patched by the
program: that spoils its own answers and nothing else. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import _thread
import builtins
import importlib
import os
import socket
import sys
from types import ModuleType
from typing import Any, NamedTuple

from cetd.sandbox import namespaces
from cetd.sandbox.encoding import EncodingError, decode, encode
from cetd.sandbox.protocol import SEQUENCE, ChannelClosedError, read_all, receive_frame, send_frame, write_all
from cetd.sandbox.seccomp import Filter
from cetd.sandbox.sources import SourceFinder

_CHANNEL, _PROGRAM = 3, 4
_CONSTANT_BYTES = 64 << 10
_MESSAGE_LENGTH = 2000
_THREAD_STACK = 1 << 20


class Confinement(NamedTuple):
    """How a candidate locks itself in; made once by the server. The ids are those outside of its user namespace."""

    uid: int
    gid: int
    cpu_s: int
    address_bytes: int
    processes: int
    file_mb: int
    filter: Filter


def main(channel_fd: int, program_fd: int, output_fd: int, confinement: Confinement) -> None:
    """Lock this process in, then serve calls; does not return."""
    try:
        os.setsid()  # a process group spans PID namespaces: kill(0, 9) would reach the server's
        # A file of its own: flags and owners that are set on it would be found by the next run.
        nowhere = os.open(os.devnull, os.O_RDONLY)
        namespaces.keep_only([nowhere, output_fd, output_fd, channel_fd, program_fd])
        channel = socket.socket(fileno=_CHANNEL)
        try:
            _lock_in(confinement)
        except OSError as error:
            send_frame(channel, encode(("setup", str(error))))
            os._exit(1)
        program = decode(read_all(_PROGRAM))
        os.close(_PROGRAM)
        send_frame(channel, encode(("ready",)))
        _write_data_files(program)
        finder = SourceFinder(program)
        finder.forget()
        sys.meta_path.insert(0, finder)  # pyright: ignore[reportArgumentType]
        _serve(channel)
    except ChannelClosedError:
        os._exit(0)


def _lock_in(confinement: Confinement) -> None:
    _thread.stack_size(_THREAD_STACK)  # the usual 8 MiB each would use up the address space that a program may map
    namespaces.map_ids(confinement.uid, confinement.gid)
    namespaces.be_first_to_go()
    namespaces.mount_private(confinement.file_mb)
    namespaces.set_limits(confinement.cpu_s, confinement.address_bytes, confinement.processes, confinement.file_mb)
    namespaces.drop_capabilities()
    confinement.filter.install(namespaces.LIBC)


def _write_data_files(program: dict[str, str]) -> None:
    for path, text in program.items():
        if not path.endswith(".py"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
            write_all(fd, text.encode("utf-8", "surrogatepass"))
            os.close(fd)


def _serve(channel: socket.socket) -> None:
    # Made before the program runs, for when there is no memory left to make it.
    out_of_memory = encode(("raise", "MemoryError", "MemoryError", (), "out of memory"))
    while True:
        frame = receive_frame(channel)
        number, request = frame[: SEQUENCE.size], decode(frame[SEQUENCE.size :])
        try:
            answer = _import(*request[1:]) if request[0] == "import" else _call(*request[1:])
        except MemoryError:
            answer = out_of_memory
        except BaseException as error:  # noqa: BLE001 - SystemExit and the program's own kinds as well
            answer = _describe(error)
        _flush()
        send_frame(channel, number + answer)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001 - closed or replaced by the program: its output is lost, no more
            continue


def _import(name: str) -> bytes:
    module = importlib.import_module(name)
    functions, constants = [], {}
    for key, value in list(vars(module).items()):
        if type(key) is not str or key.startswith("__") or isinstance(value, ModuleType):
            continue
        if callable(value):
            functions.append(key)
            continue
        try:
            encode(value, _CONSTANT_BYTES)
        except EncodingError:
            continue
        constants[key] = value
    return encode(("return", {"functions": functions, "constants": constants}, []))


def _call(module: str, function: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> bytes:
    before = [encode(argument) if isinstance(argument, (list, dict, set)) else None for argument in arguments]
    value = getattr(sys.modules[module], function)(*arguments, **named)
    changed = [
        (index, arguments[index])
        for index, data in enumerate(before)
        if data is not None and encode(arguments[index]) != data
    ]
    try:
        return encode(("return", value, changed))
    except EncodingError as error:
        return encode(("unencodable", str(error)))


def _describe(error: BaseException) -> bytes:
    """Name, nearest built-in class, arguments and message of an exception."""
    name = str(type(error).__name__)[:_MESSAGE_LENGTH]
    base = next(kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)
    try:
        message = str(error)[:_MESSAGE_LENGTH]
    except BaseException:  # noqa: BLE001 - a __str__ of the program's
        message = ""
    try:
        return encode(("raise", name, base, tuple(error.args), message), _MESSAGE_LENGTH)
    except EncodingError:
        return encode(("raise", name, base, (), message))
