"""The model registry: immutable versions of a model, and which of them is live.

A version is a copy of a model's folder with the digest of every file and where it comes from (its lineage). It is whole
or absent, its number is never given twice, and what is served of it is compared with its digests first. Which one is
live is one file's to say, replaced in one step, which keeps its history. Knows nothing of runs, gates or serving.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cetd import durable
from cetd.data import tokenizer_files

# What a model's folder in Hugging Face layout is made of beside its weights; a checkpoint's optimizer is not.
REQUIRED = ("config.json", "tokenizer.json")
_OPTIONAL = ("generation_config.json", "chat_template.jinja", *tokenizer_files.NAMES)
_WEIGHTS = "model.safetensors"
_INDEX = f"{_WEIGHTS}.index.json"
# What loading would execute.
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_ASIDE = ".registering-"
_LOCK = ".lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"[1-9][0-9]*")
_CHUNK = 1 << 20


class RegistryError(ValueError):
    """The registry refuses; the message is one line for the user."""


@dataclass(frozen=True)
class Version:
    """A registered version. ``files`` has the SHA-256 of each file by its path below ``folder``."""

    model: str
    number: int
    folder: Path
    created: str
    lineage: Mapping[str, Any]
    files: Mapping[str, str]

    @property
    def label(self) -> str:
        """What answers name."""
        return f"{self.model}:{self.number}"


class Registry:
    """All models' versions: ``<root>/<model>/<number>/{model/, version.json}`` and ``<root>/<model>/live.json``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def models(self) -> list[str]:
        """Names of the models that have versions."""
        folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        return [folder.name for folder in folders if _NAME.fullmatch(folder.name) and self._numbers(folder.name)]

    def versions(self, model: str) -> list[Version]:
        """All versions of a model, the oldest first; none where there is no such model."""
        return [self.version(model, number) for number in self._numbers(model)]

    def version(self, model: str, number: int) -> Version:
        """One version.

        Raises:
            RegistryError: there is none of that number.
        """
        folder = self._folder(model) / str(number)
        try:
            told = json.loads((folder / "version.json").read_text(encoding="utf-8"))
            return Version(model, number, folder / "model", told["created"], told["lineage"], told["files"])
        except FileNotFoundError:
            known = ", ".join(str(each) for each in self._numbers(model) if each != number) or "none"
            raise RegistryError(f"version={number}: {model} has none such under {self._root}; it has {known}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(
                f"{folder / 'version.json'}: cannot be read: {error}; register the model again"
            ) from None

    def holding(self, model: str, source: Path) -> Version | None:
        """The version that was made of the files which the model at ``source`` has now.

        Raises:
            RegistryError: no model with its tokenizer is there.
        """
        files = {name: _digest(source / name) for name in _files(source)}
        return next((version for version in self.versions(model) if dict(version.files) == files), None)

    def register(self, model: str, source: Path, lineage: Mapping[str, Any]) -> Version:
        """Copy the model at ``source`` into the registry.

        Raises:
            RegistryError: the name is not one, no model with its tokenizer is there, a file is that loading would
                execute, or the same files are a version already.
            OSError: the disk is full; nothing is left of the copy.
        """
        names = _files(source)
        with self._locked(model) as folder:
            aside = folder / f"{_ASIDE}{os.getpid()}"
            shutil.rmtree(aside, ignore_errors=True)
            try:
                files = {name: _copy(source / name, aside / "model" / name) for name in names}
                durable.sync_folder(aside / "model")
                for before in self.versions(model):
                    if dict(before.files) == files:
                        raise RegistryError(f"{source}: these files are {before.label} already; promote that version")
                number = max(self._numbers(model), default=0) + 1
                told = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "lineage": lineage, "files": files}
                durable.write_text(aside / "version.json", json.dumps(told, indent=1))
                for path in (*aside.rglob("*"), aside):
                    path.chmod(0o555 if path.is_dir() else 0o444)
                os.replace(aside, folder / str(number))
                durable.sync_folder(folder)
            finally:
                if aside.exists():
                    _remove(aside)
        return self.version(model, number)

    def verify(self, version: Version) -> Path:
        """The version's folder, once every file has the digest that it was registered with.

        Raises:
            RegistryError: naming the file that is missing, changed or not of the version.
        """
        found = (path for path in version.folder.rglob("*") if path.is_symlink() or not path.is_dir())
        there = {path.relative_to(version.folder).as_posix() for path in found}
        for name in sorted(there ^ set(version.files)):
            state = "is not of this version" if name in there else "is missing"
            raise RegistryError(f"{version.label}: {version.folder / name} {state}; it is not served")
        for name, digest in version.files.items():
            path = version.folder / name
            if path.is_symlink() or _digest(path) != digest:
                raise RegistryError(f"{version.label}: {path} differs from what was registered; it is not served")
        return version.folder

    def live(self, model: str) -> Version | None:
        """The version that is to be served; None before the first promotion."""
        history = self._history(model)
        return self.version(model, history[-1]["number"]) if history else None

    def promote(self, model: str, number: int) -> Version:
        """Make a version the live one.

        Raises:
            RegistryError: there is no such version, or its files are not those that were registered.
        """
        version = self.version(model, number)
        with self._locked(model) as folder:
            return self._go_live(folder, version, "promote")

    def rollback(self, model: str) -> Version:
        """Make the version live that was live before the last promotion that is still in force.

        Raises:
            RegistryError: no version was live before, or its files are not those that were registered.
        """
        self._before(model)  # refuses before a folder is made
        with self._locked(model) as folder:
            return self._go_live(folder, self._before(model), "rollback")

    def history(self, model: str) -> list[dict[str, Any]]:
        """What went live, the oldest first: ``number``, ``time`` and ``action``."""
        return self._history(model)

    def _go_live(self, folder: Path, version: Version, action: str) -> Version:
        self.verify(version)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        history = [*self._history(version.model), {"number": version.number, "time": now, "action": action}]
        durable.write_text(folder / "live.json", json.dumps({"live": version.number, "history": history}, indent=1))
        return version

    def _before(self, model: str) -> Version:
        """The version that a rollback goes to."""
        before = _in_force(self._history(model))[:-1]
        if not before:
            raise RegistryError(
                f"model={model}: no version was live before; promote one with jobs.models promote NUMBER"
            )
        return self.version(model, before[-1])

    def _history(self, model: str) -> list[dict[str, Any]]:
        path = self._folder(model) / "live.json"
        try:
            events = json.loads(path.read_text(encoding="utf-8"))["history"]
            return [{name: event[name] for name in ("number", "time", "action")} for event in events]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(f"{path}: cannot be read: {error}; remove it and promote a version again") from None

    def _numbers(self, model: str) -> list[int]:
        folder = self._folder(model)
        names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(name) for name in names if _NUMBER.fullmatch(name))

    def _folder(self, model: str) -> Path:
        """A name never leads out of the registry."""
        if not _NAME.fullmatch(model):
            raise RegistryError(f"model={model!r}: a name has letters, digits, and _ . - after the first")
        return self._root / model

    @contextmanager
    def _locked(self, model: str) -> Iterator[Path]:
        folder = self._folder(model)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in folder.glob(f"{_ASIDE}*"):
                _remove(left)  # of a killed registration: nobody else is at work here
            yield folder


def _in_force(history: list[dict[str, Any]]) -> list[int]:
    """The versions that rollbacks would go back through: each undoes the promotion before it."""
    live: list[int] = []
    for event in history:
        if event["action"] == "rollback":
            live = live[:-1]
        elif not live or live[-1] != event["number"]:
            live.append(event["number"])
    return live


def _files(source: Path) -> list[str]:
    """Names of the files of a model's folder; what else stands there is left where it is."""
    if not source.is_dir():
        raise RegistryError(f"{source}: no such folder; name one in Hugging Face layout, or a run that has made one")
    there = sorted(path for path in source.iterdir() if path.is_file() or path.is_symlink())
    for path in there:
        if path.suffix in _PICKLES:
            raise RegistryError(f"{path}: a pickle executes what it holds; keep weights as safetensors only")
        if path.is_symlink() and source.resolve() not in path.resolve().parents:
            raise RegistryError(f"{path}: a link out of the folder; put the file itself there")
    names = {path.name for path in there}
    required = {*REQUIRED, *_weights(source)}
    for name in sorted(required - names):
        raise RegistryError(
            f"{source}: {name} is missing; a model's folder holds its configuration, its tokenizer and its weights"
        )
    return sorted(required | names.intersection(_OPTIONAL))


def _weights(source: Path) -> set[str]:
    """Names of the weights' files: one, or an index and those that it names."""
    index = source / _INDEX
    try:
        return {_INDEX, *map(str, json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())}
    except FileNotFoundError:
        return {_WEIGHTS}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RegistryError(f"{index}: expected a weight_map of tensor to file; copy the model again") from None


def _copy(source: Path, target: Path) -> str:
    """Copy a file to disk; its digest."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    """Also where it was made read-only."""
    for path in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
        path.chmod(0o755)
    shutil.rmtree(folder)
