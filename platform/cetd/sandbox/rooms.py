"""Folders for runs that have no file system of their own: one each, removed with whatever was left in it.

Runs inside the sandbox, and where one is started: standard library only.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

# The folder in a base that rooms are made in.
ROOMS = "rooms"


def remove(folder: str, entries: int | None = None) -> bool:
    """Remove a folder, up to so many ``entries``; whether it is gone.

    Its contents may be hostile: closed to their owner, deeper than any path can be long, or changed meanwhile by what
    has not ended yet, so that no name is followed, and nothing outside is touched whoever this process is.

    Raises:
        OSError: something in it cannot be removed.
    """
    left = itertools.count() if entries is None else range(entries)
    unguessed = os.urandom(8).hex()
    with _opened(folder) as top:
        steps = zip(_removals(top, unguessed), left, strict=False)
        for _ in steps:
            pass
        if os.listdir(top):
            return False
    os.rmdir(folder)
    return True


def _removals(top: int, unguessed: str) -> Iterator[None]:
    """Remove one thing after another in an open folder; what is two down comes up first, so that nothing is deeper."""
    numbers = itertools.count()
    while names := os.listdir(top):
        for name in names:
            if _is_gone(name, top):
                yield
                continue
            with _opened(name, top) as inner:
                for below in os.listdir(inner):
                    if not _is_gone(below, inner):
                        _open_up(below, inner)  # a folder that moves is written to
                        os.rename(below, f"{unguessed}-{next(numbers)}", src_dir_fd=inner, dst_dir_fd=top)
                    yield
            os.rmdir(name, dir_fd=top)
            yield


def _is_gone(name: str, folder: int) -> bool:
    """Remove what is no folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):  # the one on Linux, the other elsewhere
        return False
    return True


@contextmanager
def _opened(name: str, folder: int | None = None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except PermissionError:
        _open_up(name, folder)
        fd = os.open(name, flags, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_up(name: str, folder: int | None) -> None:
    if os.geteuid() != 0:  # who needs no permission
        os.chmod(name, 0o700, dir_fd=folder, follow_symlinks=False)
