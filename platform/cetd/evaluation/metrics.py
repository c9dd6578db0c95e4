"""The run's figures over time: one JSON line per iteration in ``metrics.jsonl``, and the same in TensorBoard.

Promises that a resumed run leaves the curves of an uninterrupted one: what was logged from the resumed iteration on is
removed first, and so is the half line that a killed writer may have left. Figures that are not finite are
written as ``null`` to keep the lines valid JSON; TensorBoard shows them as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from cetd import durable

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Appends metrics to the run folder; use as a context manager or call :meth:`close`.

    Args:
        folder: the run folder; ``metrics.jsonl`` and ``tensorboard/`` are made in it.
        purge_from: the iteration from which the run goes on; earlier lines stay, later ones are removed. None keeps
            every whole line.
    """

    def __init__(self, folder: Path, purge_from: int | None = None) -> None:
        # Seconds of imports, which only the writing job should pay.
        from torch.utils.tensorboard.writer import SummaryWriter

        path = folder / METRICS_FILE
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            kept = [line for line in read_metrics(path) if purge_from is None or line["iteration"] < purge_from]
            durable.write_text(path, "".join(f"{_line(metrics)}\n" for metrics in kept))
        self._file = path.open("a", encoding="utf-8")
        self._tensorboard = SummaryWriter(folder / "tensorboard", purge_step=purge_from)

    def write(self, metrics: Mapping[str, Any]) -> None:
        """Log one iteration: ``iteration`` and numbers, or mappings of numbers such as ``pass_rate`` by LLM.

        Raises:
            ValueError: there is no ``iteration``.
        """
        iteration = metrics.get("iteration")
        if not isinstance(iteration, int):
            raise ValueError(f"iteration={iteration!r}: each line of metrics needs the number of its iteration")
        self._file.write(f"{_line(metrics)}\n")
        self._file.flush()
        for name, value in scalars(metrics):
            self._tensorboard.add_scalar(name, value, iteration)
        self._tensorboard.flush()

    def close(self) -> None:
        self._file.close()
        self._tensorboard.close()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file; a last line without its end is left out, as its writer was killed.

    Raises:
        ValueError: there is no such file, or a line is not a JSON object with an ``iteration``.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ValueError(f"metrics={path}: no such file; name the {METRICS_FILE} of a run folder") from None
    lines = text.split("\n")[:-1]
    return [_parsed(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def _parsed(line: str, place: str) -> dict[str, Any]:
    try:
        metrics = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"metrics={place}: not JSON ({error.msg}): correct or remove the line") from None
    if not isinstance(metrics, dict) or not isinstance(metrics.get("iteration"), int):
        raise ValueError(f"metrics={place}: not an object with an iteration: correct or remove the line")
    return metrics


def _line(metrics: Mapping[str, Any]) -> str:
    return json.dumps(_finite(metrics), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def scalars(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a line under their names, nested ones as ``outer/inner``; without the iteration itself."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from scalars(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name != "iteration":
            yield f"{prefix}{name}", float(value)
