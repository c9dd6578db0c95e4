import pyarrow as pa
import pytest

from cetd.serving import segments
from cetd.serving.segments import Segment

SCHEMA = pa.schema([("text", pa.string())])


def segment(begun, *texts):
    made = Segment("served", SCHEMA, begun)
    for text in texts:
        made.add({"text": text})
    return made


def texts(folder):
    tables = [segments.table(path) for path in segments.paths(folder, "served")]
    return [row["text"] for table in tables if table is not None for row in table.to_pylist()]


def test_segments_are_read_in_the_order_in_which_they_were_begun(tmp_path):
    for begun, text in ((20.0, "c"), (3.0, "a"), (10.5, "b")):
        segment(begun, text).write(tmp_path, 10**6)
    Segment("verdicts", SCHEMA, 1.0).write(tmp_path, 10**6)
    assert texts(tmp_path) == ["a", "b", "c"]
    assert texts(tmp_path / "none") == []


def test_a_segment_that_is_written_again_takes_its_own_place(tmp_path):
    one = segment(1.0, "a")
    one.write(tmp_path, 10**6)
    one.add({"text": "b"})
    one.write(tmp_path, 10**6)
    assert (texts(tmp_path), len(list(tmp_path.iterdir())), one.written) == (["a", "b"], 1, 2)


def test_the_oldest_leave_first_and_what_a_killed_writer_left_with_them(tmp_path):
    segment(5.0, "a").write(tmp_path, 10**6)
    (size,) = (path.stat().st_size for path in tmp_path.iterdir())
    part = tmp_path / f".served-{1000:013d}-{'0' * 32}.parquet.part"
    foreign = [tmp_path / "notes.parquet", tmp_path / "served-1-x.parquet"]
    for path in (part, *foreign):
        path.write_bytes(b"x" * size)
    for begun, text in ((6.0, "b"), (7.0, "c"), (8.0, "d")):
        segment(begun, text).write(tmp_path, 3 * size)
    assert texts(tmp_path) == ["b", "c", "d"]
    assert not part.exists()
    assert all(path.exists() for path in foreign)


def test_a_segment_above_the_bound_by_itself_removes_nothing(tmp_path):
    segment(1.0, "a").write(tmp_path, 10**6)
    with pytest.raises(OSError, match="max_bytes=100: raise it"):
        segment(2.0, "b").write(tmp_path, 100)
    assert texts(tmp_path) == ["a"]


def test_what_was_begun_too_long_ago_is_removed(tmp_path):
    for begun in (1.0, 2.0, 3.0):
        segment(begun, str(begun)).write(tmp_path, 10**6)
    segments.remove_older(tmp_path, 2.0)
    assert texts(tmp_path) == ["2.0", "3.0"]


def test_a_segment_that_left_is_none_and_a_damaged_one_is_named(tmp_path):
    one = segment(1.0, "a")
    assert segments.table(tmp_path / one.name) is None
    (tmp_path / one.name).write_bytes(b"no parquet at all")
    with pytest.raises(ValueError, match=f"segment={tmp_path / one.name}: cannot be read") as raised:
        segments.table(tmp_path / one.name)
    assert "\n" not in str(raised.value)
