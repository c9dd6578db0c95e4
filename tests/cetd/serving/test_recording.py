import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd import durable
from cetd.config.serve import RecordingConfig
from cetd.serving import recording, segments
from cetd.serving.recording import Recorder, Served, UnknownRequest, Verdict, examples
from cetd.serving.response_cache import ResponseCache
from tests.cetd.serving.clock import Clock

NOW = 1_700_000_000.0
DAY = 24 * 3600.0
GOOD, BAD = Verdict(True, None, "", NOW), Verdict(False, 1, "wrong order", NOW + 1)


def served(request_id, at=NOW, source="def f(): pass", requirements="<FUNCTIONAL_REQ> f"):
    return Served(request_id, at, "cetd:1", source, requirements, '{"seed": 1}', 12.5)


def recorder(folder, clock=None, **config):
    return Recorder(folder, RecordingConfig(enabled=True, **config), clock or Clock(NOW))


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def written(folder):
    return sum(pq.read_metadata(path).num_rows for path in Path(folder).glob("served-*.parquet"))


def test_requests_come_back_with_their_last_verdicts_oldest_first(tmp_path):
    one = recorder(tmp_path)
    one.record(served("b", NOW + 1))
    one.record(served("a", NOW))
    one.record(served("none", NOW))
    one.verdict("a", BAD)
    one.verdict("b", GOOD)
    one.flush()
    one.verdict("a", replace(GOOD, time=NOW + 9))
    one.flush()
    assert examples(tmp_path) == [(served("a", NOW), replace(GOOD, time=NOW + 9)), (served("b", NOW + 1), GOOD)]
    assert examples(tmp_path / "none") == []


def test_the_last_verdict_is_the_one_that_was_given_last_whoever_wrote_it_first(tmp_path):
    one, other = recorder(tmp_path), recorder(tmp_path, Clock(NOW + 60))
    one.record(served("a"))
    one.verdict("a", replace(GOOD, time=NOW + 9))
    one.flush()
    other.verdict("a", BAD)
    other.flush()
    assert examples(tmp_path) == [(served("a"), replace(GOOD, time=NOW + 9))]


def test_a_verdict_finds_requests_that_wait_that_others_wrote_and_of_an_earlier_process(tmp_path):
    one, other = recorder(tmp_path), recorder(tmp_path)
    one.record(served("a"))
    one.verdict("a", GOOD)
    with pytest.raises(UnknownRequest, match="request_id='a': not on record"):
        other.verdict("a", BAD)
    one.flush()
    other.verdict("a", BAD)
    other.flush()
    recorder(tmp_path).verdict("a", GOOD)
    for unknown in ("", "b", "a\ud800"):
        with pytest.raises(UnknownRequest):
            other.verdict(unknown, GOOD)
    assert examples(tmp_path) == [(served("a"), BAD)]


def test_a_damaged_segment_hides_no_other_and_is_named_to_who_reads_all(tmp_path, caplog):
    one = recorder(tmp_path)
    one.record(served("a"))
    one.flush()
    damaged = tmp_path / f"served-{int(NOW * 1000) + 1}-{'f' * 32}.parquet"
    damaged.write_bytes(b"PAR1")
    recorder(tmp_path).verdict("a", GOOD)
    assert str(damaged) in caplog.text
    with pytest.raises(ValueError, match=damaged.name):
        examples(tmp_path)


def test_no_secret_reaches_the_disk(tmp_path):
    secrets = ["jane.doe@corp.de", "ghp_" + "a1B2" * 9, "cetd-" + "aB3_-x" * 7 + "z"]
    text = " ".join(secrets)
    one = recorder(tmp_path)
    one.record(served("a", source=text, requirements=text))
    one.verdict("a", replace(BAD, comment=text))
    one.flush()
    ((request, verdict),) = examples(tmp_path)
    for kept in (request.source, request.requirements, verdict.comment):
        assert not [secret for secret in secrets if secret in kept]
        assert "REDACTED_API_KEY" in kept


def test_what_is_no_utf_8_is_kept_as_far_as_it_goes(tmp_path):
    one = recorder(tmp_path)
    one.record(served("a\ud800", source="x\ud800"))
    one.verdict("a\ud800", replace(BAD, comment="\udfff"))
    one.flush()
    ((request, verdict),) = examples(tmp_path)
    assert (request.source, verdict.comment) == ("x\ufffd", "\ufffd")


def test_many_requests_and_old_ones_are_written_without_being_asked(tmp_path):
    clock = Clock(NOW)
    one = recorder(tmp_path, clock)
    for index in range(recording.FLUSH_ROWS - 1):
        one.record(served(str(index)))
    assert written(tmp_path) == 0
    one.record(served("last"))
    until(lambda: written(tmp_path) == recording.FLUSH_ROWS)
    clock.now += recording.FLUSH_S
    one.record(served("later"))
    until(lambda: written(tmp_path) == recording.FLUSH_ROWS + 1)


def test_what_falls_due_while_the_writer_ends_is_written_too(tmp_path, monkeypatch):
    clock = Clock(NOW)
    one = recorder(tmp_path, clock)
    real = segments.remove_older

    def end_of_a_flush(*arguments):
        real(*arguments)
        if clock.now < NOW + 2 * recording.FLUSH_S:
            clock.now += recording.FLUSH_S
            one.record(served("second"))

    monkeypatch.setattr(segments, "remove_older", end_of_a_flush)
    clock.now += recording.FLUSH_S
    one.record(served("first"))
    until(lambda: written(tmp_path) == 2)


def test_small_flushes_share_a_segment(tmp_path):
    one = recorder(tmp_path)
    for index in range(20):
        one.record(served(str(index)))
        one.flush()
    assert (written(tmp_path), len(list(tmp_path.iterdir()))) == (20, 1)


def test_a_segment_ends_with_its_day(tmp_path):
    clock = Clock(NOW)
    one = recorder(tmp_path, clock, max_age_days=30)
    for day in range(40):
        clock.now = NOW + day * DAY
        one.record(served(str(day), clock.now))
        one.verdict(str(day), replace(GOOD, time=clock.now))
        one.flush()
    assert [request.request_id for request, _ in examples(tmp_path)] == [str(day) for day in range(9, 40)]


def test_old_records_leave_though_nothing_new_comes(tmp_path):
    clock = Clock(NOW)
    one = recorder(tmp_path, clock, max_age_days=1)
    one.record(served("a"))
    one.flush()
    clock.now += DAY + 1
    one.flush()
    assert not list(tmp_path.iterdir())


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3000)), min_size=1, max_size=40))
def test_the_folder_of_several_writers_stays_within_its_bound_and_keeps_the_newest(steps):
    bound, clock = 40_000, Clock(NOW)
    with TemporaryDirectory() as folder:
        both = [recorder(Path(folder), clock, max_bytes=bound) for _ in range(2)]
        for index, (writer, length) in enumerate(steps):
            clock.now += 1
            # Digests do not compress.
            source = "\n".join(ResponseCache.key(str(index), {"": at}) for at in range(length // 64))
            both[writer].record(served(str(index), clock.now, source))
            both[writer].flush()
            assert sum(path.stat().st_size for path in Path(folder).iterdir()) <= bound
        both[steps[-1][0]].verdict(str(len(steps) - 1), GOOD)
        both[steps[-1][0]].flush()
        assert [request.request_id for request, _ in examples(Path(folder))] == [str(len(steps) - 1)]


def test_a_share_is_the_same_requests_for_every_gateway(tmp_path):
    ids = [f"request-{index}" for index in range(400)]
    kept = []
    for folder in ("one", "two"):
        one = recorder(tmp_path / folder, share=0.25)
        for request_id in ids:
            one.record(served(request_id))
        one.flush()
        (path,) = (tmp_path / folder).iterdir()
        kept.append(pq.read_table(path)["request_id"].to_pylist())
        if len(kept[0]) < len(ids):
            with pytest.raises(UnknownRequest):
                one.verdict(next(one for one in ids if one not in kept[0]), GOOD)
    assert kept[0] == kept[1]
    assert 70 < len(kept[0]) < 130


def test_a_full_disk_fails_no_request_and_what_waits_is_written_later(tmp_path, monkeypatch, caplog):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    one = recorder(tmp_path)
    one.record(served("a"))
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(durable, "write_bytes", full)
        one.flush()
    assert "1 records are not written" in caplog.text
    assert written(tmp_path) == 0
    one.record(served("b"))
    one.flush()
    assert written(tmp_path) == 2


def test_requests_that_come_faster_than_they_are_written_are_not_hoarded(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(recording, "_MOST_WAITING", 100)
    one = recorder(tmp_path)
    one.record(served("a", source="x" * 60))
    one.record(served("b", source="x" * 60))
    assert "request b is not recorded" in caplog.text
    with pytest.raises(UnknownRequest):
        one.verdict("b", GOOD)
    one.flush()
    one.record(served("b", source="x" * 60))
    one.verdict("b", GOOD)


def test_a_later_request_of_the_same_id_takes_the_place_of_the_first(tmp_path):
    one = recorder(tmp_path)
    one.record(served("a", NOW + 1, requirements="second"))
    one.record(served("a", NOW, requirements="first"))
    one.verdict("a", GOOD)
    one.flush()
    assert [request.requirements for request, _ in examples(tmp_path)] == ["second"]


WRITER = """
import sys, time
from pathlib import Path
from cetd.config.serve import RecordingConfig
from cetd.serving.recording import Recorder, Served
one = Recorder(Path(sys.argv[1]), RecordingConfig(enabled=True), time.time)
for index in range(10**9):
    one.record(Served(f"{sys.argv[2]}-{index}", time.time(), "cetd:1", "x", "y", "{}", 1.0))
    one.flush()
    print(index, flush=True)
"""


def test_writers_that_are_killed_leave_whole_segments_with_all_that_was_flushed(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"]
    flushed = {}
    for writer, name in zip(writers, "ab", strict=True):
        assert writer.stdout
        while int(writer.stdout.readline()) < 10:
            pass
        os.kill(writer.pid, signal.SIGKILL)
        flushed[name] = max([10, *map(int, writer.stdout.read().split())])
        writer.wait()
    later = recorder(tmp_path, Clock(time.time()))
    for name, last in flushed.items():
        for index in range(last + 1):
            later.verdict(f"{name}-{index}", GOOD)
    later.flush()
    assert len(examples(tmp_path)) == sum(flushed.values()) + 2
