"""Whether making training data needs more memory as the corpus grows.

The smallest corpus is a part of Python's standard library; the larger ones hold several variants of it, in which every
name has an ending of its own, so that they are no copies of each other.
"""

from __future__ import annotations

import json
import keyword
import re
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

_NAME = re.compile(r"\b[A-Za-z]\w{3,}\b")
_SHARD_BYTES = 500_000


def grow(sizes: Sequence[int], megabytes: float, command: Sequence[str]) -> list[dict[str, Any]]:
    """Make a corpus of each size by ``command``, the job that makes them.

    Returns:
        Of each: ``size``, ``documents``, ``megabytes`` of text read, ``seconds``, and ``peak_mib`` by process.

    Raises:
        ValueError: the job failed; the line is its last one.
    """
    with TemporaryDirectory(prefix="cetd-bench-") as aside:
        return [_made(Path(aside), size, megabytes, command) for size in sizes]


def _made(aside: Path, size: int, megabytes: float, command: Sequence[str]) -> dict[str, Any]:
    written = _write(aside / f"code-{size}", size, int(megabytes * 1e6))
    config = {
        "run": {"name": f"size-{size}", "root": str(aside)},
        "sources": [{"path": str(aside / f"code-{size}"), "repositories": "entries"}],
        "tokens": {"vocab_size": 2048, "max_training_bytes": 500_000},
        "shard_bytes": _SHARD_BYTES,
    }
    (aside / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ended = subprocess.run(
        [*command, "--config", str(aside / "config.yaml")], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise ValueError(ended.stderr.strip().splitlines()[-1])
    folder = aside / f"size-{size}"
    summary, manifest = (json.loads((folder / name).read_text()) for name in ("summary.json", "manifest.json"))
    return {
        "size": size,
        "documents": sum(manifest["documents"].values()),
        "megabytes": written / 1e6,
        "seconds": summary["wall_s"],
        "peak_mib": summary["peak_mib"],
    }


def _write(folder: Path, variants: int, size: int) -> int:
    """Modules of the standard library, one after another, up to ``size`` bytes in each variant; returns all bytes."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    written = 0
    for variant in range(variants):
        room = size
        for file in sorted(stdlib.glob("*.py")):
            text = file.read_text(encoding="utf-8")
            if room < len(text):
                break
            room -= len(text)
            path = folder / f"{file.stem}{variant}" / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            written += path.write_text(_varied(text, variant), encoding="utf-8")
    return written


def _varied(text: str, variant: int) -> str:
    return _NAME.sub(lambda name: name[0] if keyword.iskeyword(name[0]) else f"{name[0]}_v{variant}", text)
