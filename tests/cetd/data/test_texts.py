from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cetd.data.texts import TextsError, open_texts

DOCUMENTS = [f"document {number}\n" * (1 + number % 7) for number in range(400)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        part = pa.table({"text": pa.array(DOCUMENTS[100 * number :][:100], pa.large_string())})
        pq.write_table(part, tmp_path / f"part-{number}.parquet")
    return tmp_path


def test_all_documents_are_read_in_order_and_again(folder: Path) -> None:
    texts = open_texts(folder, "train", 10**9, seed=0)
    assert list(texts) == list(texts) == DOCUMENTS
    assert (texts.documents, texts.bytes) == (400, sum(map(len, DOCUMENTS)))
    assert texts.lines == sum(text.count("\n") for text in DOCUMENTS)


def test_of_more_than_the_limit_documents_of_all_files_are_drawn(folder: Path) -> None:
    limit = sum(map(len, DOCUMENTS)) // 4
    texts = open_texts(folder, "train", limit, seed=3)
    drawn = list(texts)
    assert limit / 2 < texts.bytes == sum(map(len, drawn)) <= limit
    assert texts.documents == len(drawn)
    assert {DOCUMENTS.index(text) // 100 for text in drawn} >= {0, 1, 2}
    assert open_texts(folder, "train", limit, seed=3) == texts
    assert list(open_texts(folder, "train", limit, seed=4)) != drawn


def test_the_digest_tells_contents_apart(folder: Path) -> None:
    before = open_texts(folder, "train", 10**9, seed=0).digest
    pq.write_table(pa.table({"text": ["other"]}), folder / "part-0.parquet")
    assert open_texts(folder, "train", 10**9, seed=0).digest != before


def test_a_column_of_numbers_is_refused(folder: Path) -> None:
    pq.write_table(pa.table({"text": [1]}), folder / "part-2.parquet")
    with pytest.raises(TextsError, match=r"train: .*part-2.parquet: column text is int64; expected texts"):
        open_texts(folder, "train", 1, seed=0)


def test_a_file_that_is_cut_off_is_refused(folder: Path) -> None:
    file = folder / "part-1.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(TextsError, match=r"part-1.parquet: not Parquet"):
        open_texts(folder, "train", 1, seed=0)
