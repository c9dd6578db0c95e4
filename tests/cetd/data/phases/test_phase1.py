from __future__ import annotations

import ast
import re
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.config import ConfigError, validate
from cetd.config.phases import Phase1Config
from cetd.data.corpus.document import Document
from cetd.data.phases.bm25 import Index, ranked, words
from cetd.data.phases.definitions import modules
from cetd.data.phases.phase1 import evidence, label, phase1_rows, phase1_schema, sections
from tests.cetd.data.phases.code import MATHS, TEXTS, repository


def rows(**fields) -> dict[str, dict]:
    config = Phase1Config(**{"none_share": 0.0, "missed_share": 1.0, **fields})
    return {row["symbol"]: row for row in phase1_rows(repository(), config, 0)}


def many(count: int) -> list[Document]:
    text = "\n".join(
        f'def colour_{n}(value):\n    """Mix the colour of {n} with the given value."""\n    return value + {n}\n'
        for n in range(count)
    )
    return [Document("many", "colours.py", "python", text)]


def test_words_of_identifiers_and_prose_meet() -> None:
    assert words("TextWrapper.wrap_lines") == words("text wrapper: wrap the line")
    assert words("HTTPServer2") == ["http", "server"]


def test_bm25_finds_the_text_that_has_the_words() -> None:
    index = Index(["def wrap(text): pass", "def mean(numbers): pass"])
    assert ranked(index.scores("the mean of numbers")) == [1, 0]
    assert index.scores("nothing known").tolist() == [0, 0]
    assert Index(["1 2", ""]).scores("mean").tolist() == [0, 0]


def test_every_documented_definition_outside_tests_is_asked_about() -> None:
    assert set(rows()) == {"wrap", "depth", "Counter", "Counter.__init__", "Counter.seen", "mean", "median"}


def test_a_row_holds_the_requirement_the_sections_and_the_label() -> None:
    row = rows()["wrap"]
    requirement, *lines = row["input"].split("\n")
    assert requirement == "The function shall wrap a paragraph of text into lines of at most width characters."
    heads = [line for line in lines if re.match(r"\w+ \w+ \w+ \[[A-I]\] ", line)]
    titles = [f"{answer} {title}" for answer, title in zip(row["answers"], row["candidates"], strict=True)]
    assert heads == titles
    index = row["label"]
    assert row["candidates"][index] == "pkg/texts.py: wrap"
    assert row["target"] == row["answers"][index] == f"same full some {label(index)}"
    assert "Wrap a paragraph" not in row["input"]
    assert "# the words" not in row["input"]
    assert row["bm25_scores"] == sorted(row["bm25_scores"], reverse=True)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("The function shall compute the mean of numbers.", "same full most"),
        ("The class shall compute the mean of numbers.", "other full most"),
        ("The function shall tell the total length.", "same no some"),
        ("The function shall wrap words.", "same no few"),
        ("The function shall do it.", "same no few"),
    ],
)
def test_the_evidence_is_the_kind_and_what_words_are_shared(query: str, said: str) -> None:
    mean = sections(modules(repository()))[0]
    assert mean.definition.symbol == "mean"
    assert evidence(query, mean) == said


def test_a_section_has_the_same_evidence_whether_the_true_one_is_there_or_not() -> None:
    told, without = (
        {title: answer.rpartition(" ")[0] for title, answer in zip(row["candidates"], row["answers"], strict=True)}
        for row in (rows()["mean"], rows(none_share=1.0)["mean"])
    )
    both = told.keys() & without.keys()
    assert len(both) > 3
    assert all(told[title] == without[title] for title in both)


def test_equal_code_under_another_name_is_no_candidate_beside_the_true_one() -> None:
    assert "pkg/maths.py: mean_again" not in rows()["mean"]["candidates"]
    assert "pkg/maths.py: average" in rows()["mean"]["candidates"]  # other names inside: other code


def test_a_class_and_its_methods_are_never_offered_together_with_the_true_one() -> None:
    found = rows()
    assert not any("Counter." in name for name in found["Counter"]["candidates"])
    assert "pkg/texts.py: Counter" not in found["Counter.seen"]["candidates"]


def test_none_share_takes_the_true_section_away() -> None:
    for row in rows(none_share=1.0).values():
        assert (row["label"], row["target"]) == (-1, "[none]")
        assert f"{row['path']}: {row['symbol']}" not in row["candidates"]


@pytest.mark.parametrize("candidates", [2, 5, 9])
def test_the_true_section_stands_last_where_bm25_does_not_find_it(candidates: int) -> None:
    found = phase1_rows(many(40), Phase1Config(none_share=0.3, missed_share=1.0, candidates=candidates), 0)
    assert {len(row["candidates"]) for row in found} == {candidates}
    labels = [row["label"] for row in found]
    assert set(labels) <= set(range(-1, candidates))
    assert labels.count(candidates - 1) > 5
    assert 4 <= labels.count(-1) <= 20
    # The last one's score gives nothing away: it is drawn from below the best in the other rows too.
    lasts = [row["candidates"][-1] for row in found if row["label"] != candidates - 1]
    assert len(set(lasts)) > 3


def test_of_rows_that_bm25_misses_a_share_is_kept() -> None:
    kept = {
        share: {row["symbol"] for row in phase1_rows(many(60), Phase1Config(none_share=0.0, missed_share=share), 0)}
        for share in (0.0, 0.3, 1.0)
    }
    assert len(kept[1.0]) == 60
    assert 0 < len(kept[0.0]) < len(kept[0.3]) < 60
    assert kept[0.0] < kept[0.3] < kept[1.0]


def test_inputs_keep_within_their_length() -> None:
    for row in phase1_rows(many(30), Phase1Config(max_chars=480, requirement_chars=60, section_chars=300), 0):
        assert len(row["input"]) <= 480
        assert " [H] " in row["input"]


def test_rows_repeat_and_follow_the_schema() -> None:
    first, again = (phase1_rows(order, Phase1Config(), 3) for order in (repository(), repository()[::-1]))
    assert first == again
    assert first != phase1_rows(repository(), Phase1Config(none_share=0.9), 3)
    assert pa.Table.from_pylist(first, phase1_schema).num_rows == len(first)


def test_two_definitions_of_one_requirement_are_not_asked_about() -> None:
    text = "".join(f'def {name}(a):\n    """Do this or that thing."""\n    return {name!r}\n' for name in "fg")
    assert phase1_rows([Document("r", "a.py", "python", text)], Phase1Config(), 0) == []


@pytest.mark.parametrize("language", ["javascript", ""])
def test_other_languages_give_no_rows(language: str) -> None:
    assert phase1_rows([Document("r", "a.py", language, TEXTS)], Phase1Config(), 0) == []


def test_no_documents_give_no_rows() -> None:
    assert phase1_rows([], Phase1Config(), 0) == []


def test_a_requirement_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="requirement_chars=900: leaves no room for sections in max_chars=1000; set it to 500"
    ):
        validate(Phase1Config, {"requirement_chars": 900, "max_chars": 1000})


def damaged(seed: int) -> str:
    """Source with a few characters replaced, doubled or dropped."""
    random = Random(seed)
    text = list(random.choice([TEXTS, MATHS]))
    for _ in range(random.randint(1, 6)):
        place = random.randrange(len(text))
        text[place] = random.choice(
            ["", "\n", "\r", "\x0c", "\0", "\ud800", "(", '"', "'", "{", "\\", "é", "\u2028", ":", "    "]
        )
    return "".join(text)


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.text(), st.integers(0, 10_000).map(damaged)))
def test_no_text_is_an_error(text: str) -> None:
    made = phase1_rows([Document("r", "a.py", "python", text), *repository()[:1]], Phase1Config(), 0)
    assert pa.Table.from_pylist(made, phase1_schema).num_rows == len(made)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "x = " + "+".join(["a"] * 8000),
        "def f():\n    'a b c d e'\n    return " + "-" * 800 + "1\n",
        "def f():\n    '\\ud800 is what it gives back'\n    return 1\n",
        "x = 0x" + "f" * 9000,
        "def f():\n    'a long enough docstring here'\n    return 0x" + "f" * 9000,
        "\n".join("    " * depth + "if a:" for depth in range(99)) + "\n" + "    " * 99 + "b\n",
        "def f(" + ", ".join(f"a{n}" for n in range(3000)) + "): 'what it does for you'; return 1",
        "class A:\n    'docs of a class A'\n\fdef g(): 'docs of the function g'\n",
    ],
)
def test_what_strains_the_parser_is_no_error(text: str) -> None:
    made = phase1_rows([Document("r", "a.py", "python", text), *repository()], Phase1Config(), 0)
    assert pa.Table.from_pylist(made, phase1_schema).num_rows >= 7


def test_code_is_never_run(tmp_path) -> None:
    call = f"open({str(tmp_path / 'trap')!r}, 'w')"
    trap = f"{call}\ndef f(a={call}):\n    'does what it says here'\n"
    ast.parse(trap)
    phase1_rows([Document("r", "a.py", "python", trap), *repository()], Phase1Config(), 0)
    assert not (tmp_path / "trap").exists()
