"""Files that are either whole or absent, whatever kills the writer.

Written aside in the same folder, forced to disk, then renamed over the target. What a killed writer leaves behind
starts with a dot and ends in ``.part``; the next write of the same target replaces it.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step; folders above it are made.

    Raises:
        OSError: naming ``path`` and the remedy, such as on a full disk; the old file, if any, is untouched.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        remedy = "make room or correct the permissions, then resume the run"
        raise OSError(error.errno, f"{error.strerror}; {remedy}", str(path)) from error


def write_text(path: Path, text: str) -> None:
    """:func:`write_bytes` in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
