"""The apps of a run, from whatever its configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cetd.config import FolderAppsConfig, MicroAppsConfig
from cetd.data import microapps
from cetd.data.app import App
from cetd.data.folder_apps import load_folder


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
            return Apps(load_folder(config.train), load_folder(config.heldout))
