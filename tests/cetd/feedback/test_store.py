import errno
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from cetd import durable
from cetd.feedback import store
from cetd.feedback.rollout import Reconstruction, Reward, Rollout, Sample
from cetd.sandbox.outcome import Scored, TestResult, TimedOut, Unscored
from tests.cetd.feedback.rollouts import BATCHES, ROLLOUTS


def rollout(app_id="a", iteration=0, sample=0, seconds=1.0, program="x = 1"):
    tests = (TestResult("t1", "passed", seconds), TestResult("t2", "failed", seconds, "1 != 2"))
    return Rollout(
        sample=Sample(app_id, iteration, sample, 7, 3, "add one", (5, 6), (-0.1, -0.25)),
        reconstructions=(
            Reconstruction("small", "vllm", "r1", 11, program, Scored(1, 2, seconds, tests), seconds, seconds > 1),
            Reconstruction("large", "vllm", "r2", 12, "", Unscored("engine died")),
            Reconstruction("other", "vllm", "r3", 13, "while 1: pass", TimedOut(seconds)),
        ),
        reward=Reward(0.2, 0.25, 0.0625, 0.0, 2),
        advantage=-1.5,
        timings={"update_s": seconds, "generate_s": seconds},
        policy_revision="p3",
    )


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_what_is_read_equals_what_was_written(rollouts):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rollouts" / "iteration-000000.parquet"
        store.write(path, rollouts, run="demo")
        assert store.read(path) == sorted(rollouts, key=lambda one: one.key)
        assert store.read(path.parent) == store.read(path)


def test_row_has_the_contract_columns(tmp_path):
    path = store.training_path(tmp_path, 12)
    store.write(path, [rollout()], run="demo")
    assert path == tmp_path / "rollouts" / "iteration-000012.parquet"
    (row,) = pq.read_table(path).to_pylist()
    assert row["run"] == "demo"
    assert (row["app_id"], row["iteration"], row["sample"], row["seed"], row["policy_version"]) == ("a", 0, 0, 7, 3)
    assert (row["requirements"], row["reward"], row["advantage"], row["status"]) == ("add one", 0.2, -1.5, "trained")
    first, second, third = row["reconstructions"]
    assert (first["llm"], first["engine"], first["revision"], first["program"]) == ("small", "vllm", "r1", "x = 1")
    assert (first["outcome"], first["passed"], first["total"], first["seconds"]) == ("scored", 1, 2, 1.0)
    assert (second["outcome"], second["reason"], second["passed"]) == ("unscored", "engine died", None)
    assert (third["outcome"], third["total"]) == ("timed_out", None)


def test_order_of_writing_does_not_change_the_file(tmp_path):
    rollouts = [rollout(app, 0, sample) for app in "ab" for sample in range(3)]
    store.write(tmp_path / "one.parquet", rollouts, run="demo")
    store.write(tmp_path / "two.parquet", rollouts[::-1], run="demo")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_equal_runs_differ_in_nothing_but_timings():
    fast, slow = rollout(seconds=0.5), rollout(seconds=2.0)
    assert fast != slow
    assert store.without_timings(fast) == store.without_timings(slow)
    assert store.without_timings(fast) != store.without_timings(rollout(program="x = 2"))


@given(ROLLOUTS)
def test_removing_timings_keeps_pass_rates(one):
    rates = [reconstruction.pass_rate for reconstruction in one.reconstructions]
    assert [reconstruction.pass_rate for reconstruction in store.without_timings(one).reconstructions] == rates


def test_same_key_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        store.write(tmp_path / "x.parquet", [rollout(), replace(rollout(), advantage=0.0)], run="demo")
    assert list(tmp_path.iterdir()) == []


def test_lone_surrogates_become_replacement_characters(tmp_path):
    path = tmp_path / "x.parquet"
    store.write(path, [rollout(program="print('\ud800')\x00🎈")], run="demo")
    assert store.read(path)[0].reconstructions[0].program == "print('\ufffd')\x00🎈"


def test_writer_killed_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    store.write(path, [rollout(sample=1)], run="demo")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(durable.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(path, [rollout(sample=2)], run="demo")
    assert len(list(tmp_path.iterdir())) == 2
    assert [one.sample.sample for one in store.read(tmp_path)] == [1]


def test_full_disk_names_the_file_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device; make room .*x\.parquet") as error:
        store.write(tmp_path / "x.parquet", [rollout()], run="demo")
    assert error.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: no such file or folder"):
        store.read(tmp_path / "nowhere")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(ValueError, match=r"bad\.parquet: not a file of rollouts"):
        store.read(tmp_path)


def test_columns_are_read_without_the_rest(tmp_path):
    for iteration in (1, 0):
        store.write(store.training_path(tmp_path, iteration), [rollout(iteration=iteration)], run="demo")
    table = store.read_columns(tmp_path / "rollouts", ["iteration", "reconstructions.list.element.outcome"])
    assert table.column("iteration").to_pylist() == [0, 1]
    assert table.column("reconstructions").to_pylist()[0][1] == {"outcome": "unscored"}


def test_empty_folder_has_no_rollouts(tmp_path):
    assert store.read(tmp_path) == []
    assert store.read_columns(tmp_path, ["reward", "reconstructions.list.element.outcome"]).num_rows == 0
