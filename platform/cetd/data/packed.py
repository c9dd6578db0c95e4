"""Packed data: rows of a fixed number of tokens, several documents in each, as ``jobs.data`` leaves them.

A folder ``packed/`` holds ``train/*.parquet`` and ``validation/*.parquet`` with the columns ``token_ids`` and
``segment_ids`` (the document's number within the row, from 1; 0 is padding), ``tokenizer/``, and ``packed.json``, which
says what they were made with. Rows stand in memory at 8 bytes per token and are handed out without a copy of the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from cetd.config import DecoderConfig
from cetd.data.pairs import DataError
from cetd.data.tokenizer import Tokenizer

ABOUT, TOKENIZER = "packed.json", "tokenizer"
COLUMNS = ("token_ids", "segment_ids")
REMEDY = "make it with `python -m jobs.data --config configs/data/stdlib.yaml`"


@dataclass(frozen=True)
class PackedRow:
    """``tokens`` and the ``documents`` that they belong to, both (length,) of int32; document 0 is padding."""

    tokens: np.ndarray
    documents: np.ndarray


class Packed:
    """The rows of one split, by index."""

    def __init__(
        self,
        folder: Path,
        split: Literal["train", "validation"],
        length: int | None = None,
        at_most: int | None = None,
    ) -> None:
        """Open a split.

        Args:
            length: cut the rows into shorter ones of so many tokens; a divisor of theirs.
            at_most: take so many of the rows, evenly spread over the split.

        Raises:
            DataError: a file or a column is missing, damaged, or not of the length, vocabulary or tokenizer that
                ``packed.json`` names; or ``length`` is no divisor.
        """
        self.folder, self.split = folder, split
        about = read_about(folder)
        self.length: int = length or about["length"]
        self.vocab_size: int = about["vocab_size"]
        if about["length"] % self.length:
            raise DataError(
                f"data.row_length={length}: the rows of {folder} have {about['length']} tokens; give a divisor of that"
            )
        tokens, documents = (column.reshape(-1, self.length) for column in _read(folder / split, about["length"]))
        filled = documents.any(1)  # a row that is cut may leave pieces of padding alone
        tokens, documents = tokens[filled], documents[filled]
        if not len(tokens):
            raise DataError(f"{folder / split}: no rows; there is nothing to learn from")
        if tokens.min() < 0 or tokens.max() >= self.vocab_size:
            wrong = int(tokens.max() if tokens.max() >= self.vocab_size else tokens.min())
            raise DataError(
                f"{folder / split}: token {wrong} is outside the vocabulary of {self.vocab_size}; {REMEDY} again"
            )
        chosen = slice(None)
        if at_most is not None and at_most < len(tokens):
            chosen = np.linspace(0, len(tokens) - 1, at_most).astype(int)
        self._tokens, self._documents = tokens[chosen], documents[chosen]

    def __len__(self) -> int:
        return len(self._tokens)

    def examples(self, indices: Sequence[int]) -> list[PackedRow]:
        """The rows at ``indices``."""
        return [PackedRow(self._tokens[index], self._documents[index]) for index in indices]

    def check(self, model: DecoderConfig) -> None:
        """Whether ``model`` can read the rows.

        Raises:
            DataError: they are longer than its positions.
        """
        if self.length > model.max_positions:
            raise DataError(
                f"data.packed={self.folder}: rows of {self.length} tokens exceed model.max_positions="
                f"{model.max_positions}; set model.max_positions={self.length}, or pack shorter rows"
            )


def read_about(folder: Path) -> dict[str, Any]:
    """What ``packed.json`` says: ``length``, ``vocab_size``, ``tokenizer`` (its digest), rows and tokens per split.

    Raises:
        DataError: there is no packed data, or it was made with another tokenizer than the one beside it.
    """
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"data.packed={folder}: no {ABOUT} there; {REMEDY}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); {REMEDY} again") from None
    wanted = {"length": int, "vocab_size": int, "tokenizer": str}
    if not isinstance(about, dict) or any(not isinstance(about.get(key), kind) for key, kind in wanted.items()):
        raise DataError(f"{path}: expected {', '.join(wanted)}; {REMEDY} again")
    found = Tokenizer.load(folder / TOKENIZER).digest
    if found != about["tokenizer"]:
        raise DataError(f"{path}: packed with tokenizer {about['tokenizer']}, beside it stands {found}; {REMEDY} again")
    return about


def write_packed(
    folder: Path, tokenizer: Tokenizer, splits: dict[str, tuple[np.ndarray, np.ndarray]], **more: Any
) -> None:
    """Write splits of (tokens, documents), both (rows, length), in one Parquet file each, and what goes with them."""
    length = next(iter(splits.values()))[0].shape[1]
    tokenizer.save(folder / TOKENIZER)
    counts = {}
    for split, arrays in splits.items():
        columns = [pa.FixedSizeListArray.from_arrays(pa.array(a.ravel(), pa.int32()), length) for a in arrays]
        (folder / split).mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), folder / split / "0.parquet")
        counts[split] = {"rows": len(arrays[0]), "tokens": int((arrays[1] > 0).sum())}
    about = {"length": length, "vocab_size": tokenizer.vocab_size, "tokenizer": tokenizer.digest, **counts, **more}
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _read(folder: Path, length: int) -> list[np.ndarray]:
    """Both columns as (rows, length)."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise DataError(f"{folder}: no *.parquet there; {REMEDY}")
    columns: list[list[np.ndarray]] = [[], []]
    for file in files:
        table = _table(file)
        for name, read in zip(COLUMNS, columns, strict=True):
            read += [_rows(chunk, file, name, length) for chunk in table[name].chunks]
    return [np.concatenate(read) if read else np.empty((0, length), np.int32) for read in columns]


def _table(file: Path) -> pa.Table:
    try:
        schema = pyarrow.parquet.read_schema(file)
        if missing := [name for name in COLUMNS if name not in schema.names]:
            raise DataError(f"{file}: column {missing[0]} is missing; found {', '.join(schema.names) or 'none'}")
        return pyarrow.parquet.read_table(file, columns=list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None


def _rows(chunk: pa.Array, file: Path, name: str, length: int) -> np.ndarray:
    kind = chunk.type
    if not pa.types.is_fixed_size_list(kind) or kind.list_size != length or not pa.types.is_int32(kind.value_type):
        raise DataError(f"{file}: column {name} is {kind}; expected fixed_size_list<int32>[{length}]")
    flat = chunk.flatten()
    if chunk.null_count or flat.null_count:
        raise DataError(f"{file}: column {name} has values that are missing; {REMEDY} again")
    return flat.to_numpy().reshape(-1, length)
