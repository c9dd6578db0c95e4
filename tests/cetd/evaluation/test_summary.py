import json
from io import StringIO

import pytest
from rich.console import Console

from cetd.evaluation.summary import print_table, write_summary
from cetd.sandbox.outcome import Unscored
from tests.cetd.evaluation.runs import LLMS, heldout, make_summary, rollout, scored

BEFORE = [rollout("a", 0, 0, [scored(0), scored(3), scored(0)]), rollout("b", 0, 0, [scored(0)] * 3)]
AFTER = [rollout("a", 9, 0, [scored(6)] * 3), rollout("b", 9, 0, [scored(6), scored(3), Unscored("dead")])]


def test_summary_has_the_contract_keys():
    summary = make_summary(BEFORE, AFTER)
    contract = {"heldout_reward", "pass_rate", "engines", "rollouts", "unscored", "dropped"}
    contract |= {"efficiency", "stage_seconds", "wall_s", "seed"}
    assert contract <= set(summary)
    assert set(summary["heldout_reward"]) == {"before", "after"}
    assert summary["pass_rate"]["medium"] == {"before": 0.25, "after": 0.75}
    assert summary["pass_rate"]["large"] == {"before": 0.0, "after": 1.0}
    assert summary["engines"] == dict.fromkeys(LLMS, "vllm")


def test_llm_that_never_answered_has_no_pass_rate():
    lost = [rollout("a", 0, 0, [scored(6), scored(6), Unscored("dead")])]
    assert make_summary(lost, lost)["pass_rate"]["large"] == {"before": None, "after": None}


def test_extras_stand_beside_and_never_replace():
    assert make_summary(BEFORE, AFTER, iterations=9)["iterations"] == 9
    with pytest.raises(ValueError, match="extras: rollouts, seed stand in the summary already"):
        make_summary(BEFORE, AFTER, **{"seed": 1, "rollouts": 2})


def test_file_holds_the_summary(tmp_path):
    summary = make_summary(heldout(0, 0.2), heldout(40, 0.8))
    path = write_summary(tmp_path, summary)
    assert path == tmp_path / "summary.json"
    assert json.loads(path.read_text()) == summary


def test_table_shows_before_after_and_gain():
    console = Console(width=100, record=True, file=StringIO())
    print_table(make_summary(BEFORE, AFTER, shuffle_rewards=True), console)
    text = console.export_text()
    assert "seed 3; control run: rewards shuffled" in text
    row = next(line for line in text.splitlines() if "pass rate of medium (vllm)" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][1:] == ["0.250", "0.750", "+0.500"]
    assert "5120 rollouts, 12 unscored, 16 dropped; efficiency 0.91; 97 s" in text


def test_table_prints_what_is_missing_as_a_dash():
    console = Console(width=100, record=True, file=StringIO())
    print_table(make_summary([], AFTER), console)
    row = next(line for line in console.export_text().splitlines() if "reward" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][1] == "-"
