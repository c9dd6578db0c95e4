import json
from dataclasses import replace

import pytest

from cetd.evaluation.metrics import METRICS_FILE
from cetd.evaluation.report import write_report
from cetd.evaluation.report.apps import chosen
from cetd.evaluation.report.run import read_run
from cetd.feedback import store
from cetd.sandbox.outcome import Crashed, Unscored
from tests.cetd.evaluation.report.pages import Page
from tests.cetd.evaluation.runs import HOSTILE, LLMS, heldout, make_run, rollout, scored


def report(folder):
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_finished_run_is_told_in_full(tmp_path):
    page = report(make_run(tmp_path / "demo", iterations=15))
    for part in ("Reward", "Pass rate by reconstruction LLM", "Held-out apps (24)", "Stage utilisation", "Leakage"):
        assert part in page.text
    assert "0.91" in page.text
    assert "kept = [x for x in xs if x % 3 == 0]" in page.text
    assert "Requirements after" in page.text
    assert "expected 42, got 7" in page.text
    assert "Not finished" not in page.text


def test_the_noise_floor_and_quarantined_apps_are_told(tmp_path):
    page = write_report(make_run(tmp_path / "run")).read_text()
    for part in (
        "Noise floor",
        "&lt; 0.02%",
        "1 of 20,000 results of references differed",
        "1 of 25 apps",
        "micro-099",
    ):
        assert part in page
    assert "<b>timed_out" not in page


def test_interrupted_run_is_told_as_far_as_it_came(tmp_path):
    page = report(make_run(tmp_path / "demo", iterations=15, finished=False))
    assert "Not finished" in page.text
    assert "Held-out reward before" in page.text
    assert "Requirements after" not in page.text
    assert "90%" in page.text


def test_empty_folder_has_a_report(tmp_path):
    assert "Nothing recorded yet." in report(tmp_path).text


@pytest.mark.parametrize(
    "name", ["config.yaml", "metrics.jsonl", "apps.json", "summary.json", "rollouts", "evaluations"]
)
def test_any_one_part_may_be_missing(tmp_path, name):
    folder = make_run(tmp_path / "demo", iterations=3)
    (folder / name).rename(tmp_path / "elsewhere")
    assert "demo" in report(folder).text


def test_page_needs_nothing_from_outside_and_runs_nothing(tmp_path):
    page = report(make_run(tmp_path / "demo", iterations=3))
    assert not {"script", "link", "iframe", "img", "object", "base", "form"} & set(page.tags)
    assert not {"src", "href", "srcset", "action"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert any(value and value.startswith("default-src 'none'") for _, value in page.attributes)


def test_hostile_text_is_shown_and_never_obeyed(tmp_path):
    folder = make_run(tmp_path / f"{HOSTILE.split('/', maxsplit=1)[0]}demo", iterations=1, finished=False)
    outcomes = [Crashed(HOSTILE, 0.1, HOSTILE), Unscored(HOSTILE), scored(1)]
    hostile = rollout(HOSTILE, 0, 0, outcomes, "evaluation", HOSTILE)
    programs = tuple(replace(one, program=HOSTILE, llm=f"{one.llm}{HOSTILE}") for one in hostile.reconstructions)
    store.write(store.evaluation_path(folder, 0), [replace(hostile, reconstructions=programs)], run="demo")
    (folder / "apps.json").write_text(json.dumps({HOSTILE: {"source": HOSTILE, "interface": HOSTILE}}))
    (folder / "config.yaml").write_text(f"x: {json.dumps(HOSTILE)}\n")
    page = report(folder)
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count("<script>alert('owned')</script>\\x00\\x1b[31m\\u202e") > 8
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_control_run_says_so(tmp_path):
    folder = make_run(tmp_path / "demo", iterations=2)
    config = (folder / "config.yaml").read_text().replace("shuffle_rewards: false", "shuffle_rewards: true")
    (folder / "config.yaml").write_text(config)
    assert "rewards were shuffled" in report(folder).text


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        write_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("summary.json", "{", "summary.json: not JSON"),
        ("apps.json", "[]", "apps.json: expected an object"),
        ("config.yaml", "a: [", "config.yaml: not YAML"),
        ("metrics.jsonl", "{\n{}\n", "metrics.jsonl:1: not JSON"),
        ("evaluations/heldout-x.parquet", "", "expected heldout-<iteration>.parquet"),
        ("rollouts/iteration-000099.parquet", "", "iteration-000099.parquet: not a file of rollouts"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, text, message):
    folder = make_run(tmp_path / "demo", iterations=1)
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        write_report(folder)


def test_first_and_last_evaluations_are_before_and_after(tmp_path):
    folder = make_run(tmp_path / "demo", iterations=9)
    store.write(store.evaluation_path(folder, 5), heldout(5, 0.5), run="demo")
    run = read_run(folder)
    assert sorted(run.evaluations) == [0, 5, 9]
    assert run.before[0].sample.iteration == 0
    assert run.after[0].sample.iteration == 9


def test_shares_come_from_the_iterations_weighted_by_their_time(tmp_path):
    lines = [
        {"iteration": 0, "iteration_s": 3.0, "busy": {"generate": 1.0, "test": 0.0}},
        {"iteration": 1, "iteration_s": 1.0, "busy": {"generate": 0.0, "test": 0.4}},
    ]
    (tmp_path / METRICS_FILE).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    run = read_run(tmp_path)
    assert run.stage_shares == {"generate": 0.75, "reconstruct": 0.0, "test": pytest.approx(0.1), "update": 0.0}
    assert run.efficiency == 0.75


def test_shares_and_totals_of_the_summary_come_first(tmp_path):
    folder = make_run(tmp_path / "demo", iterations=2)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"busy": {"generate": 0.25}}))
    run = read_run(folder)
    assert run.stage_shares == {"generate": 0.25}
    assert (run.total("rollouts"), run.total("dropped"), run.total("unscored")) == (5120, 16, 12)
    assert run.efficiency == 0.91


def test_outcomes_of_training_are_counted_by_llm(tmp_path):
    store.write(
        store.training_path(tmp_path, 0), [rollout("a", 0, 0, [scored(6), Unscored("x"), scored(0)])], run="demo"
    )
    run = read_run(tmp_path)
    assert run.outcomes == {("small", "scored"): 1, ("medium", "unscored"): 1, ("large", "scored"): 1}
    assert run.statuses == {"trained": 1}
    assert (run.total("rollouts"), run.total("dropped"), run.total("unscored")) == (1, 0, 1)
    assert run.llms == list(LLMS)


def test_examples_span_the_gain_from_most_to_least():
    before = [rollout(f"a{i}", 0, 0, [scored(0)] * 3) for i in range(7)]
    after = [rollout(f"a{i}", 9, 0, [scored(i)] * 3) for i in range(7)]
    assert [pair[0].sample.app_id for pair in chosen(before, after, 3)] == ["a6", "a3", "a0"]
    assert len(chosen(before, after, 99)) == 7
    assert chosen([], [], 3) == []
