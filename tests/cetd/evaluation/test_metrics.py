import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cetd.evaluation.metrics import MetricsLog, read_metrics


def write(folder, iterations, purge_from=None, reward=0.5):
    with MetricsLog(folder, purge_from) as log:
        for iteration in iterations:
            log.write({"iteration": iteration, "reward": reward, "pass_rate": {"small": 0.25}, "leakage": None})


def scalars(folder, name):
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_lines_are_read_as_written(tmp_path):
    write(tmp_path, range(2))
    assert read_metrics(tmp_path / "metrics.jsonl")[1] == {
        "iteration": 1,
        "reward": 0.5,
        "pass_rate": {"small": 0.25},
        "leakage": None,
    }


def test_tensorboard_has_nested_names(tmp_path):
    write(tmp_path, range(2))
    assert scalars(tmp_path, "reward") == [(0, 0.5), (1, 0.5)]
    assert scalars(tmp_path, "pass_rate/small") == [(0, 0.25), (1, 0.25)]


def test_resumed_run_replaces_what_was_logged_from_its_iteration_on(tmp_path):
    write(tmp_path, range(5), reward=0.5)
    write(tmp_path, range(3, 6), purge_from=3, reward=0.75)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["iteration"] for line in lines] == [0, 1, 2, 3, 4, 5]
    assert [line["reward"] for line in lines] == [0.5] * 3 + [0.75] * 3
    assert scalars(tmp_path, "reward") == [(i, 0.5) for i in range(3)] + [(i, 0.75) for i in range(3, 6)]


def test_half_line_of_a_killed_writer_is_left_out_and_removed(tmp_path):
    write(tmp_path, range(2))
    path = tmp_path / "metrics.jsonl"
    with path.open("a") as file:
        file.write('{"iteration": 2, "rew')
    assert [line["iteration"] for line in read_metrics(path)] == [0, 1]
    write(tmp_path, [2], purge_from=2)
    assert [line["iteration"] for line in read_metrics(path)] == [0, 1, 2]


def test_figures_that_are_not_finite_become_null(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.write({"iteration": 0, "loss": math.nan, "busy": {"test": math.inf}})
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) == {"iteration": 0, "loss": None, "busy": {"test": None}}
    assert math.isnan(scalars(tmp_path, "loss")[0][1])


def test_line_without_iteration_is_refused(tmp_path):
    with MetricsLog(tmp_path) as log, pytest.raises(ValueError, match="iteration=None"):
        log.write({"reward": 1.0})


def test_missing_and_damaged_files_are_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(ValueError, match=r"metrics\.jsonl: no such file"):
        read_metrics(path)
    path.write_text('{"iteration": 0}\nnonsense\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl:2: not JSON"):
        read_metrics(path)
    path.write_text("[1]\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl:1: not an object with an iteration"):
        read_metrics(path)
