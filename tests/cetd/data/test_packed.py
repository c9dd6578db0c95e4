"""Packed rows, and packed data that cannot be trained on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from cetd.config import DecoderConfig
from cetd.data.packed import Packed, read_about, write_packed
from cetd.data.pairs import DataError
from tests.cetd.packing import make_packed, packed_rows, tokenizer_of_programs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed(tmp_path_factory.mktemp("packed"))


def test_rows_come_back_by_index_and_in_the_order_asked(folder: Path) -> None:
    tokens, documents = packed_rows(tokenizer_of_programs(), 96, 64, 0)
    rows = Packed(folder, "train").examples([5, 0, 5])
    for row, index in zip(rows, (5, 0, 5), strict=True):
        assert np.array_equal(row.tokens, tokens[index])
        assert np.array_equal(row.documents, documents[index])


def test_files_follow_one_another_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "more")
    shutil.copy(tmp_path / "more" / "train" / "0.parquet", tmp_path / "more" / "train" / "1.parquet")
    packed = Packed(tmp_path / "more", "train")
    assert len(packed) == 2 * 96
    assert np.array_equal(packed.examples([96])[0].tokens, packed.examples([0])[0].tokens)


def test_few_rows_are_spread_over_the_split(folder: Path) -> None:
    everything, few = Packed(folder, "validation"), Packed(folder, "validation", at_most=3)
    assert len(few) == 3
    for row, index in zip(few.examples(range(3)), (0, 5, 11), strict=True):
        assert np.array_equal(row.tokens, everything.examples([index])[0].tokens)
    assert len(Packed(folder, "validation", at_most=999)) == len(everything)


def test_rows_can_be_cut_into_shorter_ones(folder: Path) -> None:
    whole, cut = Packed(folder, "train"), Packed(folder, "train", length=32)
    assert len(cut) == 2 * len(whole)
    pieces = [piece.tokens for piece in cut.examples([6, 7])]
    assert np.array_equal(np.concatenate(pieces), whole.examples([3])[0].tokens)
    with pytest.raises(DataError, match=r"data.row_length=48: the rows of .* have 64 tokens; give a divisor of that"):
        Packed(folder, "train", length=48)


def test_pieces_of_padding_alone_are_left_out(tmp_path: Path) -> None:
    tokenizer = tokenizer_of_programs()
    tokens, documents = packed_rows(tokenizer, 4, 64, 7)
    documents[0, 32:] = 0
    write_packed(tmp_path, tokenizer, {"train": (tokens, documents)})
    assert len(Packed(tmp_path, "train", length=32)) == 7


def damaged(folder: Path, change: Callable[[Path], object], tmp_path: Path) -> Path:
    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    change(copy)
    return copy


def rewrite(name: str, values: pa.Array) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "train" / "0.parquet"
        table = pyarrow.parquet.read_table(path).slice(0, len(values))
        pyarrow.parquet.write_table(table.set_column(table.schema.get_field_index(name), name, values), path)

    return change


def about(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "packed.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def rows_of(value: int | None, length: int) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array([value] * length, pa.int32()), length)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "packed.json").unlink(), r"data.packed=.*: no packed.json there; make it with"),
        (lambda folder: (folder / "packed.json").write_text("{"), r"packed.json: cannot be read .*; make it with"),
        (about(length="64"), r"packed.json: expected length, vocab_size, tokenizer; make it with"),
        (about(tokenizer="other"), r"packed with tokenizer other, beside it stands [0-9a-f]+; make it with"),
        (about(length=32), r"column token_ids is fixed_size_list<.*>\[64\]; expected fixed_size_list<int32>\[32\]"),
        (about(vocab_size=50), r"train: token \d+ is outside the vocabulary of 50; make it with"),
        (lambda folder: shutil.rmtree(folder / "train"), r"train: no \*.parquet there; make it with"),
        (lambda folder: (folder / "train" / "0.parquet").write_bytes(b"PAR1"), r"0.parquet: cannot be read: "),
        (rewrite("token_ids", pa.array([1])), r"column token_ids is int64; expected fixed_size_list<int32>\[64\]"),
        (rewrite("token_ids", rows_of(None, 64)), r"0.parquet: column token_ids has values that are missing"),
        (rewrite("token_ids", rows_of(-1, 64)), r"train: token -1 is outside the vocabulary of 350"),
        (rewrite("token_ids", rows_of(0, 64)[:0]), r"train: no rows; there is nothing to learn from"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_said_in_one_line(
    folder: Path, change: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said) as refused:
        Packed(damaged(folder, change, tmp_path), "train")
    assert "\n" not in str(refused.value)


def test_rows_longer_than_the_positions_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"rows of 64 tokens exceed model.max_positions=63; set model.max_positions=64"):
        Packed(folder, "train").check(DecoderConfig(max_positions=63))


def test_what_packed_json_says_is_counted_from_the_rows(tmp_path: Path) -> None:
    tokenizer = tokenizer_of_programs()
    tokens, documents = packed_rows(tokenizer, 3, 64, 7)
    write_packed(tmp_path, tokenizer, {"train": (tokens, documents)})
    assert read_about(tmp_path)["train"] == {"rows": 3, "tokens": int((documents > 0).sum())}
