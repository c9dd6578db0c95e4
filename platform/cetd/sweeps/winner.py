"""The command that trains a trial's model as ``jobs.train`` does."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from cetd.config import validate
from cetd.config.train import TrainJobConfig


def command(config: TrainJobConfig, name: str) -> str:
    """``python -m jobs.train`` with the overrides that make ``config``, run under ``name``; ready for a shell."""
    return shlex.join(["python", "-m", "jobs.train", *overrides(config), f"run.name={name}"])


def overrides(config: TrainJobConfig) -> list[str]:
    """``section.field=value`` for all that differs from the defaults, but for the name and a pause."""
    plain = config.model_copy(update={"pause_at": None})
    needed = {"model": plain.model.model_dump(), "data": {"packed": plain.data.packed}}
    defaults = validate(TrainJobConfig, needed).model_dump(mode="json")
    ours = plain.model_dump(mode="json")
    ours["run"]["name"] = defaults["run"]["name"]
    shape = _changed(type(plain.model)().model_dump(mode="json"), ours["model"])
    written = [f"model={json.dumps({'family': plain.model.family, **shape})}", f"data.packed={plain.data.packed}"]
    return written + [f"{name}={json.dumps(value)}" for name, value in _differences(defaults, ours)]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in after.items() if before[key] != value}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before[key], dict):
            yield from _differences(before[key], value, f"{prefix}{key}.")
        elif value != before[key]:
            yield f"{prefix}{key}", value
