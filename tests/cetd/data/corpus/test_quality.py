"""Scores say why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.data.corpus.quality import WEIGHTS, reasons_against, score, scored
from tests.cetd.data.corpus.tables import documents

GOOD = '"""Adds numbers."""\n\n\ndef add(first, second):\n    """The sum of both."""\n    return first + second\n'


def test_ordinary_code_has_nothing_against_it() -> None:
    assert reasons_against(GOOD, "python") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "too short"),
        ("#%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%\n" * 4, "few letters"),
        (GOOD + "call_the_same_thing_again()\n" * 40, "repeated lines"),
        (f"# a key\nKEY = '{'0aZ9' * 60}'\nOTHER = 1\n", "mostly data"),
        (GOOD + "print 'of an older Python'\n", "does not parse"),
        ((("word_of_length_ten_" * 7) + "\n") * 3, "long lines"),
        ("\n".join(f"value_{number} = compute(value_{number - 1})" for number in range(60)), "no comments"),
    ],
)
def test_each_reason_is_found(text: str, reason: str) -> None:
    assert reason in reasons_against(text, "python")


def test_only_python_has_to_parse_as_python() -> None:
    assert reasons_against("function add(a, b) { return a + b }\n// of numbers\nadd(1, 2); add(3, 4)\n", "js") == []


def test_rows_below_the_least_score_fall_away_for_their_weightiest_reason() -> None:
    commentless = "\n".join(f"value_{number} = compute(value_{number - 1})" for number in range(60))
    rows, stage = scored(documents([GOOD, "x\n", commentless]), least=0.5)
    assert rows["text"].to_pylist() == [GOOD, commentless]
    assert rows["reasons"].to_pylist() == [[], ["no comments"]]
    assert rows["quality"].to_pylist() == pytest.approx([1.0, 0.9])
    assert (stage.dropped, stage.noted) == ({"too short": 1}, {"no comments": 1})


@given(st.text(max_size=300), st.sampled_from(["python", "c"]))
def test_any_text_has_a_score_between_0_and_1(text: str, language: str) -> None:
    reasons = reasons_against(text, language)
    assert set(reasons) <= set(WEIGHTS)
    assert 0 <= score(reasons) <= 1
