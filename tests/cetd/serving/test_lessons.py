"""Which recorded requests a retraining learns from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cetd.config.retrain import ExamplesConfig
from cetd.config.serve import RecordingConfig
from cetd.serving.lessons import USED_FILE, Lessons, TooFewError, mark_used, new_lessons
from cetd.serving.recording import Recorder
from cetd.serving.records import Served, Verdict
from tests.cetd.serving.clock import Clock

NOW = 1_700_000_000.0
PASSED, FAILED = Verdict(True, None, "", NOW), Verdict(False, 5, "", NOW)
FEW = ExamplesConfig(at_least=2, at_most=3, validation=2)


def rated(rating: int) -> Verdict:
    return Verdict(None, rating, "", NOW)


def record(folder: Path, *requests: tuple[str, str, str, Verdict | None]) -> None:
    """(id, source, requirements, verdict), one second apart."""
    recorder = Recorder(folder, RecordingConfig(enabled=True), Clock(NOW))
    for second, (request_id, source, requirements, verdict) in enumerate(requests):
        recorder.record(Served(request_id, NOW + second, "cetd:1", source, requirements, "{}", 1.0))
        if verdict:
            recorder.verdict(request_id, verdict)
    recorder.flush()


def test_good_verdicts_teach_and_others_are_counted(tmp_path: Path) -> None:
    record(
        tmp_path,
        ("a", "source a", "requirements a", PASSED),
        ("b", "source b", "requirements b", rated(4)),
        ("c", "source c", "requirements c", rated(3)),
        ("d", "source d", "requirements d", FAILED),
        ("e", "source e", " ", PASSED),
        ("f", "source f", "requirements f", None),
    )
    lessons = new_lessons(tmp_path, "cetd", FEW)
    assert lessons.request_ids == ("a", "b")
    assert lessons.pairs == (("source a", "requirements a"), ("source b", "requirements b"))
    assert (lessons.not_good, lessons.waiting) == (3, 0)


def test_a_source_that_is_asked_for_again_and_again_is_one_example(tmp_path: Path) -> None:
    record(tmp_path, *((f"a{turn}", "same", f"requirements {turn}", PASSED) for turn in range(9)))
    with pytest.raises(TooFewError, match="with a good verdict on 1 sources"):
        new_lessons(tmp_path, "cetd", FEW)
    record(tmp_path, ("b", "other", "requirements b", PASSED))
    lessons = new_lessons(tmp_path, "cetd", FEW)
    assert set(lessons.pairs) == {("same", "requirements 8"), ("other", "requirements b")}
    assert len(lessons.request_ids) == 10


def test_what_was_used_is_not_new_and_what_was_left_comes_next(tmp_path: Path) -> None:
    record(tmp_path, *((name, f"source {name}", "requirements", PASSED) for name in "abcde"))
    first = new_lessons(tmp_path, "cetd", FEW)
    assert (first.request_ids, first.waiting) == (("a", "b", "c"), 2)
    mark_used(tmp_path, "cetd", "retrain", first.request_ids)
    second = new_lessons(tmp_path, "cetd", FEW)
    assert second.request_ids == ("d", "e")
    mark_used(tmp_path, "cetd", "again", second.request_ids)
    with pytest.raises(TooFewError, match=r"on 0 sources .*5 requests were used before"):
        new_lessons(tmp_path, "cetd", FEW)
    assert new_lessons(tmp_path, "another", FEW).request_ids == ("a", "b", "c")


def test_one_in_so_many_is_kept_for_validation() -> None:
    lessons = Lessons((), tuple((str(number), "") for number in range(7)), 0, 0)
    learned, kept = lessons.split(3)
    assert [source for source, _ in learned] == ["0", "1", "3", "4", "6"]
    assert [source for source, _ in kept] == ["2", "5"]


def test_a_list_of_used_ones_that_is_damaged_is_not_passed_over(tmp_path: Path) -> None:
    record(tmp_path, *((name, f"source {name}", "requirements", PASSED) for name in "ab"))
    (tmp_path / USED_FILE).write_text('{"model": "cetd"}\n')
    with pytest.raises(ValueError, match=r"used.jsonl: cannot be read .*request_ids.*restore it"):
        new_lessons(tmp_path, "cetd", FEW)


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="at_most=10 is below at_least=20"):
        ExamplesConfig(at_most=10)
    with pytest.raises(ValueError, match="validation=5: at_least=4 leaves none"):
        ExamplesConfig(at_least=4)
