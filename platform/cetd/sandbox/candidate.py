"""The candidate process: the only one that executes the program under test.

It locks itself in, then answers calls on its channel until it is killed. It is given the program and, one at a time,
the calls that tests make; never a test, an expected value or a verdict. Everything here may be patched by the
program: that spoils its own answers and nothing else. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import _thread
import os
import socket
import sys

from cetd.sandbox import process
from cetd.sandbox.answers import Answers
from cetd.sandbox.confinement import Confinement
from cetd.sandbox.encoding import decode, encode
from cetd.sandbox.protocol import ChannelClosedError, read_all, send_frame, write_all
from cetd.sandbox.sources import SourceFinder

_CHANNEL, _PROGRAM = 3, 4
_THREAD_STACK = 1 << 20


def main(channel_fd: int, program_fd: int, output_fd: int, confinement: Confinement, room: str) -> None:
    """Lock this process in, then serve calls; does not return."""
    try:
        os.setsid()  # a process group spans PID namespaces: kill(0, 9) would reach the server's
        # A file of its own: flags and owners that are set on it would be found by the next run.
        nowhere = os.open(os.devnull, os.O_RDONLY)
        confinement.hide_files(room, judging=False)
        process.keep_only([nowhere, output_fd, output_fd, channel_fd, program_fd])
        channel = socket.socket(fileno=_CHANNEL)
        program, files = decode(read_all(_PROGRAM))
        os.close(_PROGRAM)
        try:
            _thread.stack_size(_THREAD_STACK)  # 8 MiB each would use up the address space that a program may map
            confinement.lock_in_candidate(files)
        except OSError as error:
            send_frame(channel, encode(("setup", str(error))))
            os._exit(1)
        send_frame(channel, encode(("ready",)))
        _write_data_files(program)
        finder = SourceFinder(program)
        finder.forget()
        sys.meta_path.insert(0, finder)  # pyright: ignore[reportArgumentType]
        Answers(channel).serve()
    except ChannelClosedError:
        os._exit(0)


def _write_data_files(program: dict[str, str]) -> None:
    for path, text in program.items():
        if not path.endswith(".py"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
            write_all(fd, text.encode("utf-8", "surrogatepass"))
            os.close(fd)
