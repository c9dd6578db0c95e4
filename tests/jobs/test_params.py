"""``python -m jobs.params`` as its user sees it."""

import json
import subprocess
import sys

import pytest

from cetd.config import presets
from jobs.params import main
from tests.jobs.running import ROOT

BUDGET = [
    "total_params=10_000_000",
    "vocab_size=16000",
    "embedding_ratio=0.35",
    "glu_expansion=2.66",
    "n_heads=8",
    "tied_lm_head=true",
]
COMPONENTS = {"embedding", "positions", "attention", "feed-forward", "norms", "head"}


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(list(arguments))
    return capsys.readouterr().out


def test_a_preset_is_shown_by_component_with_count_and_share(capsys: pytest.CaptureFixture[str]) -> None:
    table = shown(capsys, "codet5-base")
    for text in (*COMPONENTS, "113,246,208", "50.81%", "222,882,048", "100.00%"):
        assert text in table


def test_presets_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, "tiny-lm", "--json", "codet5-base"))
    assert list(found) == ["tiny-lm", "codet5-base"]
    assert found["codet5-base"]["total"] == 222_882_048
    for table in found.values():
        assert set(table) == {"total", "components"}
        assert set(table["components"]) == COMPONENTS
        assert sum(table["components"].values()) == table["total"]


def test_all_presets_are_shown_where_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(json.loads(shown(capsys, "--json"))) == presets()


def test_a_budget_is_shown_as_asked_and_as_achieved(capsys: pytest.CaptureFixture[str]) -> None:
    table = shown(capsys, "budget", *BUDGET)
    for text in ("asked", "achieved", "total_params", "10,000,000", "embedding_ratio", "2.66", "d_model", "d_ff"):
        assert text in table


def test_a_budget_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, "budget", *BUDGET, "--json"))
    assert list(found) == ["d_model", "n_layers", "d_ff", "total", "embedding_ratio", "glu_expansion"]
    assert found["total"] == pytest.approx(10_000_000, rel=0.005)
    assert found["embedding_ratio"] == pytest.approx(16_000 * found["d_model"] / found["total"])
    assert found["glu_expansion"] == pytest.approx(found["d_ff"] / found["d_model"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cetd-2b"], "error: model: preset 'cetd-2b' is not under configs/model/; known: cetd-1b, "),
        (["tiny-lm", "budget"], "error: model: preset 'budget' is not under configs/model/"),
        (["budget", "vocab=1"], "error: vocab: unknown key; did you mean vocab_size?"),
        (["budget", "vocab_size=many"], "error: vocab_size='many': input should be a valid integer"),
        (["budget", "embedding_ratio=1.5"], "error: embedding_ratio=1.5: input should be less than or equal to 0.99"),
        (["budget", "glu_expansion=.nan"], "error: glu_expansion=nan: input should be"),
        (["budget", "total_params"], "error: 'total_params' is not an override"),
        (["budget", "positions=sinusoidal"], "error: positions='sinusoidal': input should be 'rotary' or 'learned'"),
        (["budget", "total_params=1000"], "error: total_params=1000 cannot be met within 0.5%"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith(message)
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_help_lists_presets_and_fields() -> None:
    command = [sys.executable, "-m", "jobs.params", "--help"]
    help_text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "cetd-5b-dims" in help_text
    assert "glu_expansion (2.66): d_ff / d_model of the SwiGLU block" in help_text
