"""What a corpus is made of: the files and tables of its sources, cut into shards of similar size.

A listing is small and says where text is, never what it says, so that shards can be read elsewhere and again. It is a
function of the sources' content alone: the same files give the same shards.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path

from cetd.config.data import (
    DataJobConfig,
    FolderSourceConfig,
    StdlibSourceConfig,
    TableSourceConfig,
    source_name,
)
from cetd.data.corpus import tables
from cetd.data.corpus.licences import licence_of_repository

# Folders that hold what others wrote, or what was made of the sources.
_APART = {
    *(".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "node_modules", "__pycache__", "site-packages"),
    *("dist-packages", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints"),
}


class SourceError(ValueError):
    """A source that cannot be read; the message is one line for the user."""


@dataclass(frozen=True)
class Piece:
    """A file, or a part of a table: ``size`` in bytes, and of tables the part from ``start``."""

    source: int  # its place in the configuration
    repository: str
    path: str  # as documents are told apart; relative to the repository
    file: str  # where it is now
    size: int
    licence: str
    start: int = 0


Shard = tuple[Piece, ...]


def listing(config: DataJobConfig) -> list[Piece]:
    """All pieces of all sources, in an order of their own.

    Raises:
        SourceError: a source is missing, empty, or a table without the columns named.
    """
    pieces: list[Piece] = []
    for number, source in enumerate(config.sources):
        found = list(_pieces(number, source, config.shard_bytes))
        if not found:
            raise SourceError(f"sources.{number}: {_place(source)} has no files that include and exclude let through")
        pieces += found
    return pieces


def shards(pieces: Sequence[Piece], size: int, largest: int) -> list[Shard]:
    """Pieces one after another, in shards of about ``size`` bytes; of files above ``largest`` nothing will be read."""
    cut: list[list[Piece]] = []
    room = 0
    for piece in pieces:
        weight = piece.size if piece.size <= largest or piece.start else 0
        if not cut or weight > room:
            cut.append([])
            room = size
        cut[-1].append(piece)
        room -= weight
    return [tuple(shard) for shard in cut]


def digest(pieces: Iterable[Piece]) -> str:
    """Identifies a listing: names, sizes, and the files' times of change."""
    summed = blake2b(digest_size=16)
    for piece in pieces:
        changed = os.stat(piece.file).st_mtime_ns
        summed.update(repr((piece.source, piece.repository, piece.path, piece.size, piece.start, changed)).encode())
    return summed.hexdigest()


def _place(source: FolderSourceConfig | StdlibSourceConfig | TableSourceConfig) -> Path:
    return Path(sysconfig.get_path("stdlib")) if isinstance(source, StdlibSourceConfig) else source.path


def _pieces(
    number: int, source: FolderSourceConfig | StdlibSourceConfig | TableSourceConfig, size: int
) -> Iterator[Piece]:
    place = _place(source)
    if not place.exists():
        raise SourceError(f"sources.{number}.path={place}: no such file or folder")
    if isinstance(source, TableSourceConfig):
        name, licence = source_name(source), source.licence or "unknown"
        try:
            for part in tables.parts(place, source, size):
                yield Piece(number, name, part.path, part.file, part.size, licence, part.start)
        except tables.TableError as error:
            raise SourceError(f"sources.{number}: {error}") from None
        return
    if not place.is_dir():
        raise SourceError(f"sources.{number}.path={place}: not a folder; use kind: table for Parquet and JSON lines")
    entries = isinstance(source, StdlibSourceConfig) or source.repositories == "entries"
    for repository, root, files in _repositories(place, source_name(source), entries):
        licence = source.licence or licence_of_repository(file for file in files if file.parent == root)
        for file in files:
            path = file.relative_to(root if root.is_dir() else root.parent).as_posix()
            if _taken(file.relative_to(place).as_posix(), source.include, source.exclude):
                yield Piece(number, repository, path, str(file), file.stat().st_size, licence)


def _repositories(place: Path, name: str, entries: bool) -> Iterator[tuple[str, Path, list[Path]]]:
    """(name, root, files) of each: git checkouts wherever they are, and what is beside them."""
    checkouts = {folder for folder in _folders(place) if (folder / ".git").exists()}
    for checkout in sorted(checkouts):
        relative = checkout.relative_to(place).as_posix()
        yield (name if relative == "." else f"{name}/{relative}"), checkout, _tracked(checkout)
    if place in checkouts:
        return
    beside = [file for file in _walk(place) if not any(folder in checkouts for folder in file.parents)]
    if not entries:
        yield name, place, beside
        return
    parts: dict[str, list[Path]] = {}
    for file in beside:
        parts.setdefault(file.relative_to(place).parts[0], []).append(file)
    for entry, files in sorted(parts.items()):
        yield f"{name}/{Path(entry).stem}", place / entry, files


def _folders(place: Path) -> Iterator[Path]:
    for folder, below, _ in os.walk(place):
        yield Path(folder)
        if ".git" in below:
            below.clear()  # a checkout's own folders are its own business
        below[:] = sorted(set(below) - _APART)


def _walk(place: Path) -> list[Path]:
    """Regular files below ``place``; links are not followed."""
    found: list[Path] = []
    for folder, below, files in os.walk(place):
        below[:] = sorted(set(below) - _APART)
        found += [file for name in sorted(files) if (file := Path(folder, name)).is_file() and not file.is_symlink()]
    return found


def _tracked(checkout: Path) -> list[Path]:
    """The files of the index, which leaves what is built and what is ignored."""
    command = ["git", "-c", "safe.directory=*", "-C", str(checkout), "ls-files", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", b"").decode(errors="replace").strip().splitlines()
        raise SourceError(f"{checkout}: git cannot list it: {told[-1] if told else error}") from None
    files = [checkout / os.fsdecode(name) for name in listed.split(b"\0") if name]
    return sorted(file for file in files if file.is_file() and not file.is_symlink())


def _taken(path: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Globs of the whole path, in which ``*`` also stands for folders, or of its name alone."""
    name = path.rpartition("/")[2]

    def fits(globs: Sequence[str]) -> bool:
        return any(fnmatchcase(path, glob) or fnmatchcase(name, glob) for glob in globs)

    return fits(include) and not fits(exclude)
