"""Apps from a zip file: unpacked into a folder only where it is what it says, in bounds, and nowhere else."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from cetd.data.app_files import MOST_FILES, AppError

MOST_BYTES = 64 << 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpack ``archive`` below ``folder``.

    Raises:
        AppError: it is no zip file; it has too many files or too much in them; or a name or a link leads elsewhere.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if len(members) > MOST_FILES:
                raise AppError(f"{archive}: holds {len(members)} files, more than {MOST_FILES}; leave out some")
            left = MOST_BYTES
            for member in members:
                _check_name(archive, member)
                if not member.is_dir():
                    left = _unpack_one(archive, packed, member, folder, left)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:  # damaged, or encrypted
        raise AppError(f"{archive}: no zip file that can be read: {error}") from None


def _check_name(archive: Path, member: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(member.filename).parts
    if member.filename.startswith("/") or ".." in parts or "\\" in member.filename:
        raise AppError(f"{archive}: {member.filename!r} leads out of the folder; pack it again without such names")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise AppError(f"{archive}: {member.filename!r} is a link; put the file itself there")


def _unpack_one(archive: Path, packed: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, left: int) -> int:
    # What the archive says of sizes is not believed: reading ends where the bound is.
    with packed.open(member) as file:
        data = file.read(left + 1)
    if len(data) > left:
        raise AppError(f"{archive}: unpacks to more than {MOST_BYTES >> 20} MiB, at {member.filename!r}; not an app")
    path = folder / member.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return left - len(data)
