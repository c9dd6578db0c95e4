"""Where a benchmark's report goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cetd import durable
from cetd.run_folder import runs_root


def write(report: dict[str, Any], root: Path | None = None) -> None:
    """Write it to ``bench/NAME.json`` in the folder of all runs, as ``root`` configures that."""
    durable.write_text(runs_root(root) / "bench" / f"{report['benchmark']}.json", json.dumps(report, indent=2))
