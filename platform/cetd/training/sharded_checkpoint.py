"""Checkpoints of tensor-parallel training: ``checkpoints/step-000012/``, complete or absent, readable at any degree.

Each tensor-parallel process writes one safetensors file whose metadata says which part of which tensor it holds;
``state.json`` names the files. Files are written in the background from copies, aside; the folder is renamed when
all of them are on disk. To load, a process picks its own parts out of whichever files hold them. Nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from cetd import durable
from cetd.models.huggingface import CheckpointError
from cetd.parallel.engine import MOMENTS, UPDATES
from cetd.parallel.shards import Shard, Share
from cetd.training.checkpoint import ASIDE, PREFIX

STATE = "state.json"

Named = tuple[str, Tensor]
Restore = Callable[[nn.Parameter, Mapping[str, Tensor]], None]


class Writer:
    """Writes one process's file of a checkpoint while training goes on."""

    def __init__(self, checkpoints: Path, step: int, rank: int, degree: int) -> None:
        self.folder = checkpoints / f"{PREFIX}{step:06d}"
        self._aside = checkpoints / f"{ASIDE}{self.folder.name}"
        self._file = self._aside / _file_name(rank, degree)
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None

    def begin(self, tensors: Iterable[Named], cut: Mapping[str, Shard]) -> None:
        """Copy ``tensors`` and write them in the background; ``cut`` says what part of which parameter they are."""
        copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors}
        parts = {
            name: [part.dimension, part.share.first]
            for name, tensor in copies.items()
            if tensor.ndim and (part := cut.get(name.partition("/")[0]))
        }
        self._thread = threading.Thread(target=self._write, args=(copies, parts), name="checkpoint")
        self._thread.start()

    @property
    def writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def failure(self) -> str:
        """Why the file could not be written; empty where it could."""
        return reason(self._failure) if self._failure else ""

    def wait(self) -> None:
        if self._thread:
            self._thread.join()

    def commit(self, state: Mapping[str, Any], degree: int) -> None:
        """Make the checkpoint visible, once every process's file is on disk. One process calls it.

        Raises:
            OSError: the disk is full; there is no such checkpoint then.
        """
        if self.folder.exists():  # written before a restart of the workers
            shutil.rmtree(self._aside)
            return
        files = [_file_name(rank, degree) for rank in range(degree)]
        durable.write_text(self._aside / STATE, json.dumps({**state, "files": files}))
        os.replace(self._aside, self.folder)
        durable.sync_folder(self.folder.parent)

    def abandon(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._aside, ignore_errors=True)

    def _write(self, tensors: dict[str, Tensor], parts: dict[str, list[int]]) -> None:
        try:
            durable.write_bytes(self._file, serialise(tensors, metadata={"parts": json.dumps(parts)}))
        except OSError as error:
            self._failure = error


def reason(error: OSError) -> str:
    """What happened, without the file that it happened to."""
    return os.strerror(error.errno) if error.errno else str(error)


def tensors_of(model: nn.Module, moments: Callable[[nn.Parameter], Mapping[str, Tensor]]) -> Iterator[Named]:
    """Parameters by name, and the optimizer's ``moments`` of each as ``name/exp_avg`` and so on."""
    for name, parameter in model.named_parameters():
        yield name, parameter.detach()
        for key, moment in moments(parameter).items():
            yield f"{name}/{key}", moment


def load(folder: Path, model: nn.Module, cut: Mapping[str, Shard], restore: Restore | None = None) -> None:
    """Fill ``model``, of which this process holds the parts ``cut``, from a checkpoint of any degree.

    Args:
        restore: takes each parameter, once it has its value, with the optimizer's moments of it.

    Raises:
        CheckpointError: a file is damaged, or holds a model of another shape; names the first such tensor.
    """
    with torch.no_grad(), _Source(folder) as source:
        for name, parameter in model.named_parameters():
            part = cut.get(name)
            parameter.copy_(source.part(name, parameter.shape, part))
            if restore:
                moments = [key for key in MOMENTS if source.has(f"{name}/{key}")]
                found = {key: source.part(f"{name}/{key}", parameter.shape, part) for key in moments}
                if source.has(f"{name}/{UPDATES}"):
                    found[UPDATES] = source.part(f"{name}/{UPDATES}", torch.Size(), None)
                restore(parameter, found)


def read_state(folder: Path) -> dict[str, Any]:
    """What :meth:`Writer.commit` was given.

    Raises:
        CheckpointError: no checkpoint there.
    """
    try:
        return json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / STATE}: cannot be read ({error}); name a folder checkpoints/step-*") from None


def prune(checkpoints: Path, keep: int, best: Path | None) -> None:
    """Drop all but the newest ``keep`` and the best."""
    for old in sorted(checkpoints.glob(f"{PREFIX}*"))[:-keep]:
        if old != best:
            doomed = checkpoints / f"{ASIDE}{old.name}"
            os.replace(old, doomed)  # a kill while deleting must not leave half a checkpoint under its name
            shutil.rmtree(doomed)


class _Source:
    """The files of a checkpoint, opened; tensors are put together from the parts that they hold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = [_opened(folder / name) for name in read_state(folder)["files"]]
        self._parts = [json.loads((file.metadata() or {}).get("parts", "{}")) for file in self._files]
        self._names = [set(file.keys()) for file in self._files]

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.clear()

    def has(self, name: str) -> bool:
        return name in self._names[0]

    def part(self, name: str, shape: torch.Size, wanted: Shard | None) -> Tensor:
        """The part of a tensor that a parameter of ``shape`` holds."""
        if not self.has(name):
            raise CheckpointError(f"{self._folder}: tensor {name} is missing; the checkpoint is of another model")
        found = self._assembled(name, wanted) if name in self._parts[0] else self._files[0].get_tensor(name)
        if wanted is not None and name not in self._parts[0]:
            found = found[_index(wanted.dimension, wanted.share.first, wanted.share.end)]
        if found.shape != shape:
            raise CheckpointError(f"{self._folder}: tensor {name} is {list(found.shape)}, the model's {list(shape)}")
        return found

    def _assembled(self, name: str, wanted: Shard | None) -> Tensor:
        dimension = self._parts[0][name][0]
        pieces = []
        for held, piece in self._pieces(name, dimension):
            first = max(held.first, wanted.share.first if wanted else 0)
            end = min(held.end, wanted.share.end if wanted else held.end)
            if first < end:
                pieces.append(piece[_index(dimension, first - held.first, end - held.first)])
        return torch.cat(pieces, dimension)

    def _pieces(self, name: str, dimension: int) -> Iterator[tuple[Share, Any]]:
        for file, parts in zip(self._files, self._parts, strict=True):
            piece, first = file.get_slice(name), parts[name][1]
            yield Share(first, first + piece.get_shape()[dimension]), piece


def _index(dimension: int, first: int, end: int) -> tuple[slice, ...]:
    return (*[slice(None)] * dimension, slice(first, end))


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: damaged or cut short ({error}); resume from an older checkpoint") from None


def _file_name(rank: int, degree: int) -> str:
    return f"part-{rank + 1:02d}-of-{degree:02d}.safetensors"
