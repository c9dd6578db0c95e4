"""Apps from wherever they come: folders, zip files, benchmarks' JSON Lines, and the generator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cetd.config import FolderAppsConfig, MicroAppsConfig
from cetd.data import manifest, microapps
from cetd.data.app import App
from cetd.data.app_files import AppError, check_folder
from cetd.data.archives import unpack
from cetd.data.benchmark_apps import load_lines
from cetd.data.folder_apps import load_app, load_folder


@dataclass(frozen=True)
class Apps:
    """Apps to learn from, and apps that measure."""

    train: Sequence[App]
    heldout: Sequence[App]

    @property
    def requirements(self) -> tuple[str, ...]:
        """What any of them imports."""
        return tuple(sorted({name for app in (*self.train, *self.heldout) for name in app.requirements}))


def load_apps(config: MicroAppsConfig | FolderAppsConfig) -> Apps:
    """
    Raises:
        ValueError: an app cannot be read or generated; the line names it and the remedy.
    """
    match config:
        case MicroAppsConfig():
            generated = microapps.generate(config)
            return Apps(generated.train, generated.heldout)
        case FolderAppsConfig():
            return Apps(read_apps(config.train), read_apps(config.heldout))


def read_apps(path: Path) -> list[App]:
    """The apps of a folder of app folders, an app folder, a zip file of either, or HumanEval or MBPP as JSON Lines.

    Raises:
        AppError: one line that names the path and the remedy.
    """
    if path.is_dir():
        return [load_app(path)] if (path / manifest.FILE).exists() else load_folder(path)
    if not path.exists():
        raise AppError(f"{path}: no such file or folder; give a folder of app folders, a zip file, or JSON Lines")
    if path.suffix == ".zip":
        return _read_archive(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return load_lines(path)
    raise AppError(f"{path}: neither a folder, nor a zip file, nor JSON Lines (.jsonl, .jsonl.gz)")


def _read_archive(archive: Path) -> list[App]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        unpack(archive, folder)
        try:
            check_folder(folder)
            inner = list(folder.iterdir())
            while len(inner) == 1 and inner[0].is_dir() and not (inner[0] / manifest.FILE).exists():
                folder = inner[0]
                inner = list(folder.iterdir())
            return read_apps(folder)
        except AppError as error:
            raise AppError(str(error).replace(f"{made}/", f"{archive}!")) from None
