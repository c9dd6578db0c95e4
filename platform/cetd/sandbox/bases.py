"""A sandbox's folder on the disk, for rooms and what is shown beside them; taken away when its owner has ended."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from pathlib import Path

from cetd.sandbox import rooms

_PREFIX = "cetd-sandbox-"
_LEAVE_S = 1.0


class Base:
    """A folder with one for rooms in it, which as root belongs to user ``uid``.

    Its owner holds a lock on it; making one takes away those that nobody holds any more.
    """

    def __init__(self, uid: int) -> None:
        parent = Path(tempfile.gettempdir())
        for other in parent.glob(f"{_PREFIX}*"):
            _remove_abandoned(other)
        self.path, self._lock = _made_and_locked(parent)
        os.chmod(self.path, 0o711)
        inside = os.path.join(self.path, rooms.ROOMS)
        os.mkdir(inside, 0o700)
        if os.geteuid() == 0:
            os.chown(inside, uid, uid)

    def remove(self) -> None:
        """Take it away; its last processes are ending. What they keep longer is left to the next sandbox."""
        until = time.monotonic() + _LEAVE_S
        while time.monotonic() < until:
            try:
                rooms.remove(self.path)
                break
            except OSError:  # something was written meanwhile
                time.sleep(0.005)
        os.close(self._lock)


def _made_and_locked(parent: Path) -> tuple[str, int]:
    """A new folder and the lock on it; a sandbox that starts meanwhile may take it for abandoned before it has one."""
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(path):
            return path, lock
        os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # another user's, no folder, or gone
        return
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rooms.remove(str(folder))
    except OSError:  # in use, or being removed by another
        return
    finally:
        os.close(lock)
