"""Folders for runs that have no file system of their own: one each, removed with whatever was left in it.

Runs inside the sandbox, and where one is started: standard library only.
"""

from __future__ import annotations

import itertools
import os

# The folder in a base that rooms are made in.
ROOMS = "rooms"


def remove(folder: str) -> None:
    """Remove a folder whose contents may be hostile: closed to their owner, or deeper than any path can be long."""
    unguessed, numbers = os.urandom(8).hex(), itertools.count()
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):  # comes up, so that nothing is ever more than two down
                    os.chmod(inner.path, 0o700)
                    os.rename(inner.path, os.path.join(folder, f"{unguessed}-{next(numbers)}"))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)
    os.rmdir(folder)
