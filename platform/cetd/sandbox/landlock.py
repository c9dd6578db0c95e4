"""Landlock: what a process may open, once it has restricted itself (landlock(7)).

Of the file system a process keeps what is named here; what it cannot open it can neither read, change, list, run nor
remove, for itself and all that it starts. Paths can still be looked up, and what stat tells of them is told.
Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from cetd.sandbox.process import LIBC, check

# Before it (Linux 6.2) whoever may read a file and owns it could truncate it.
LEAST_VERSION = 3

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_ASK_VERSION, _BENEATH = 1, 1
# From that version on the kernel writes what it refuses to the machine's log, unless it is told not to.
_LOGGING, _WITHOUT_LOG = 7, 1
_WRITE_FILE, _READ_FILE, _LIST = 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_FIFO, _MAKE_SYMLINK, _MOVE, _TRUNCATE = 1 << 10, 1 << 12, 1 << 13, 1 << 14
_OWN = _WRITE_FILE | _READ_FILE | _LIST | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE
_OWN |= _MAKE_FIFO | _MAKE_SYMLINK | _MOVE | _TRUNCATE
# What each version of the kernel's can take away, of files, of TCP and of signals and abstract sockets: one that is
# asked for what it does not know refuses the whole.
_FILES, _NETWORK, _SCOPES = {3: (1 << 15) - 1, 5: (1 << 16) - 1}, {4: 0b11}, {6: 0b11}


def version() -> int:
    """The kernel's version of Landlock, 0 where it has none or does not use it."""
    return max(LIBC.syscall(_CREATE, None, ctypes.c_size_t(0), _ASK_VERSION), 0)


class Landlock:
    """What every process may open: ``readable`` files and folders, ``listed`` folders, ``writable`` files.

    Raises:
        OSError: a path is not there, or the kernel's Landlock is too old.
    """

    def __init__(self, readable: Iterable[str], listed: Iterable[str], writable: Iterable[str]) -> None:
        found = version()
        if found < LEAST_VERSION:
            raise OSError(f"Landlock of version {LEAST_VERSION} (Linux 6.2) is needed, and there is {found or 'none'}")
        fields = [_newest(of, found) for of in (_FILES, _NETWORK, _SCOPES)]
        self._flags = _WITHOUT_LOG if found >= _LOGGING else 0
        known = 1 + (found >= min(_NETWORK)) + (found >= min(_SCOPES))
        self._handled = struct.pack(f"={known}Q", *fields[:known])
        self._rules = [(_readable(path), _opened(path)) for path in readable]
        self._rules += [(_LIST, _opened(path)) for path in listed]
        self._rules += [(_READ_FILE | _WRITE_FILE, _opened(path)) for path in writable]

    def restrict(self, own: str, readable: Iterable[str] = ()) -> None:
        """Leave this process what all may open, ``readable`` beside it, and the folder ``own`` to do in as it likes.

        It has to have given up new privileges.

        Raises:
            OSError: the kernel refused.
        """
        ruleset = LIBC.syscall(_CREATE, self._handled, ctypes.c_size_t(len(self._handled)), 0)
        check(ruleset < 0, "landlock_create_ruleset")
        more = [(_OWN, _opened(own)), *((_readable(path), _opened(path)) for path in readable)]
        for allowed, fd in (*self._rules, *more):
            check(LIBC.syscall(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", allowed, fd), 0), "landlock_add_rule")
        check(LIBC.syscall(_RESTRICT, ruleset, self._flags), "landlock_restrict_self")
        for fd in (ruleset, *(fd for _, fd in more)):
            os.close(fd)


def _newest(since: dict[int, int], found: int) -> int:
    return max((value for first, value in since.items() if first <= found), default=0)


def _readable(path: str) -> int:
    return _READ_FILE | _LIST if os.path.isdir(path) else _READ_FILE


def _opened(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)
