"""Reading the files of an app folder that somebody else made: within the folder, in bounds, and as text.

What cannot be used is refused with its path and the remedy (:class:`AppError`).
"""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

MOST_FILES = 2_000
MOST_BYTES = 2 << 20  # of texts, and of other files; the sandbox is sent all of them with every run
_UNSEEN = ("__pycache__", ".git", ".pytest_cache")


class AppError(ValueError):
    """An app that cannot be used; the message is one line for the user."""


def check_folder(folder: Path) -> None:
    """
    Raises:
        AppError: there are too many files, or a link leads out of the folder.
    """
    count = 0
    inside = folder.resolve()
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _UNSEEN]
        count += len(files)
        if count > MOST_FILES:
            raise AppError(f"{folder}: holds more than {MOST_FILES} files; leave out what is no part of an app")
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise AppError(f"{path}: a link out of the app folder; put the file itself there")


def read_texts(folder: Path, globs: Sequence[str]) -> dict[str, str]:
    """Texts by path relative to ``folder``.

    Raises:
        AppError: a file is no UTF-8 text or no Python where it is named so, or they are too large together.
    """
    texts = {name: _text(folder / name, data) for name, data in read_bytes(folder, globs).items()}
    for name, text in texts.items():
        if name.endswith(".py"):
            check_syntax(f"{folder / name}", text)
    return texts


def read_bytes(folder: Path, globs: Sequence[str]) -> dict[str, bytes]:
    """Contents by path relative to ``folder``.

    Raises:
        AppError: a glob leaves the folder, a file cannot be read, or they are too large together.
    """
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    for pattern in globs:
        parts = PurePosixPath(pattern).parts
        if not parts or ".." in parts or pattern.startswith("/"):
            raise AppError(f"{folder}/app.yaml: glob {pattern!r} leaves the app folder; write it relative to that")
        for path in sorted(folder.glob(pattern)):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in files and not set(path.parts).intersection(_UNSEEN):
                files[name] = _read(path, left)
                left -= len(files[name])
    return files


def check_syntax(where: str, text: str) -> None:
    """
    Raises:
        AppError: ``text`` is no Python.
    """
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise AppError(f"{where}: line {error.lineno}: syntax error: {error.msg}; correct the file") from None
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting beyond the parser
        raise AppError(f"{where}: not Python source: {error or type(error).__name__}; correct the file") from None


def _read(path: Path, left: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(left + 1)
    except OSError as error:
        raise AppError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > left:
        raise AppError(f"{path}: with it the files are more than {MOST_BYTES >> 20} MiB; leave it out of the globs")
    return data


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise AppError(f"{path}: not UTF-8 text; convert it, or leave it out of the globs") from None
