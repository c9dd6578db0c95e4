"""Pairs of texts to train on, from Parquet or JSON lines: rows ``input``, ``target``, and ``pass_rates`` where asked.

Rows stay texts in Arrow and are tokenised when a batch asks for them. Every row is checked before training begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

from cetd import durable
from cetd.config.train import DataConfig, RewardWeightingConfig
from cetd.data.example import Example
from cetd.data.tokenizer import EOS_ID, Tokenizer

FORMATS = {".parquet": "parquet", ".jsonl": "json"}
_SCAN = 1024


class DataError(ValueError):
    """Data that cannot be trained on; the message is one line for the user."""


class Pairs:
    """Examples by index."""

    def __init__(
        self, path: Path, config: DataConfig, tokenizer: Tokenizer, weighting: RewardWeightingConfig | None = None
    ) -> None:
        """Open the data.

        Raises:
            DataError: no rows, a column that is missing or of another type, or an unreadable file.
        """
        self.path, self._config, self._tokenizer, self._weighting = path, config, tokenizer, weighting
        columns = {"input": pa.types.is_string, "target": pa.types.is_string}
        if weighting:
            columns["pass_rates"] = pa.types.is_list
        self._table = read_table(path, list(columns))
        for name, fits in columns.items():
            kind = self._table.schema.field(name).type
            if not fits(kind) and not pa.types.is_large_string(kind):
                wanted = "lists of numbers" if name == "pass_rates" else "texts"
                raise DataError(f"{path}: column {name} is {kind}; expected {wanted}")
            if self._table[name].null_count:
                raise DataError(f"{path}: column {name} has {self._table[name].null_count} rows without a value")
        if not len(self):
            raise DataError(f"{path}: no rows; there is nothing to train on")

    def __len__(self) -> int:
        return self._table.num_rows

    def examples(self, indices: Sequence[int]) -> list[Example]:
        """The rows at ``indices``, tokenised and cut to the longest that is allowed."""
        rows = self._table.take(pa.array(indices, pa.int64()))
        prompts, targets = (self._tokenizer.encode_batch(rows[name].to_pylist()) for name in ("input", "target"))
        weights = self._weights(rows)
        return [
            Example(
                tuple(prompt[: self._config.max_input_tokens]),
                (*target[: self._config.max_output_tokens - 1], EOS_ID),
                weight,
            )
            for prompt, target, weight in zip(prompts, targets, weights, strict=True)
        ]

    def check_lengths(self) -> None:
        """Refuse texts that are too long, unless they are to be cut.

        Raises:
            DataError: naming the first such row, its length and what is allowed.
        """
        if self._config.too_long == "truncate":
            return
        limits = {"input": self._config.max_input_tokens, "target": self._config.max_output_tokens - 1}
        for name, limit in limits.items():
            for row, length in enumerate(self._lengths(name)):
                if length > limit:
                    side = "input" if name == "input" else "output"
                    raise DataError(
                        f"{self.path}: row {row}: {name} has {length} tokens and data.max_{side}_tokens leaves room "
                        f"for {limit}; raise it, or set data.too_long=truncate"
                    )

    def _lengths(self, name: str) -> Iterator[int]:
        for batch in self._table.select([name]).to_batches(max_chunksize=_SCAN):
            yield from (len(ids) for ids in self._tokenizer.encode_batch(batch.column(0).to_pylist()))

    def _weights(self, rows: pa.Table) -> Iterable[float]:
        """The specification's reward of each row: scale x (mean - penalty x variance of its pass rates)."""
        if self._weighting is None:
            return [1.0] * rows.num_rows
        scale, penalty = self._weighting.scale, self._weighting.variance_penalty
        rates = [np.asarray(one, dtype=float) for one in rows["pass_rates"].to_pylist()]
        return [scale * float(one.mean() - penalty * one.var()) if one.size else 0.0 for one in rates]


def write_pairs(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Write (input, target) texts as Parquet.

    Raises:
        OSError: the disk is full.
    """
    sink = pa.BufferOutputStream()
    inputs, targets = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    pyarrow.parquet.write_table(pa.table({"input": inputs, "target": targets}), sink)
    durable.write_bytes(path, sink.getvalue().to_pybytes())


def read_table(path: Path, columns: list[str]) -> pa.Table:
    """The columns of a file, or of all files of a folder in the order of their names.

    Raises:
        DataError: no such file, another format, a column that is missing, or an unreadable file.
    """
    files = sorted(path.glob("*.parquet")) + sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise DataError(f"{path}: no such file, or a folder without *.parquet and *.jsonl")
    kinds = sorted({file.suffix for file in files})
    if len(kinds) > 1 or kinds[0] not in FORMATS:
        raise DataError(f"{path}: expected *.parquet or *.jsonl, and one of them only; found {', '.join(kinds)}")
    try:
        source = pyarrow.dataset.dataset([str(file) for file in files], format=FORMATS[kinds[0]])
        missing = [name for name in columns if name not in source.schema.names]
        if missing:
            found = ", ".join(source.schema.names) or "none"
            raise DataError(f"{path}: column {missing[0]} is missing; found {found}")
        return source.to_table(columns)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
