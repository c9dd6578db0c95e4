from __future__ import annotations

import ast
import json
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.config.phases import Phase2Config
from cetd.data.corpus.document import Document
from cetd.data.phases import phase2_rows, phase2_schema
from cetd.data.phases.definitions import modules
from cetd.data.phases.excellent import excellent
from cetd.data.phases.poor import truncated
from cetd.data.phases.qualities import aliases
from cetd.data.phases.sections import sections
from tests.cetd.data.phases.code import MATHS, TEXTS, repository
from tests.cetd.data.phases.test_phase1 import damaged


def rows(severity: int, **fields) -> dict[str, dict]:
    config = Phase2Config(severities=(severity,), **fields)
    return {row["symbol"]: row for row in phase2_rows(repository(), config, 0)}


def requirements(code: str) -> dict[str, list[str]]:
    """Of the first definition of a module."""
    (module,) = modules([Document("r", "m.py", "python", code)])
    first, *others = module.definitions
    return excellent(first, others, aliases(module.tree), [], 3)


def test_the_target_says_what_the_real_source_says() -> None:
    assert rows(0)["wrap"]["target"].split("\n") == [
        "<FUNCTION_DEF> wrap(text: str, width: int=70) -> list[str]",
        "<FUNCTIONAL_REQ> Wrap a paragraph of text into lines of at most width characters.",
        "<FUNCTIONAL_REQ> wrap('a b', 1) returns ['a', 'b']",
        "<FUNCTIONAL_REQ> wrap('a b c', 3) returns ['a b', 'c']",
        "<FUNCTIONAL_REQ> wrap('a', 0) raises ValueError",
        "<CONSTRAINT> raises ValueError when width <= 0",
        "<CONSTRAINT> width defaults to 70",
        "<API_CALL> re.split",
    ]


def test_a_class_has_its_methods_signatures_and_refusals() -> None:
    assert sections(rows(1)["Counter"]["target"]) == {
        "<CLASS_DEF>": ["Counter"],
        "<FUNCTION_DEF>": ["__init__(self, start=0)", "seen(self, word)", "twice(self, word)"],
        "<FUNCTIONAL_REQ>": [
            "Counts how often each word was seen.",
            "__init__: Start counting at the given number.",
            "seen: Record one more occurrence of the word, and tell the total.",
        ],
        "<CONSTRAINT>": ["seen raises KeyError when not word"],
    }


def test_qualities_stand_where_the_code_shows_them() -> None:
    assert sections(rows(0)["depth"]["target"])["<NON_FUNCTIONAL_REQ>"] == [
        "remembers the results of earlier calls",
        "calls itself",
    ]
    assert sections(rows(0)["chunks"]["target"])["<NON_FUNCTIONAL_REQ>"] == ["yields its results one by one"]
    assert "<NON_FUNCTIONAL_REQ>" not in sections(rows(0)["mean"]["target"])


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("if a:\n  raise KeyError(a)", ["raises KeyError when a"]),
        ("if a in b:\n  pass\n else:\n  raise KeyError", ["raises KeyError when a not in b"]),
        ("if not a:\n  pass\n elif b > 1:\n  raise io.Error(1)", ["raises io.Error when b > 1"]),
        (
            "try:\n  f()\n except (OSError, KeyError):\n  raise ValueError",
            ["raises ValueError when (OSError, KeyError) is caught"],
        ),
        ("while a:\n  with b:\n   for c in a:\n    raise KeyError", ["raises KeyError"]),
        ("match a:\n  case 1:\n   raise KeyError", ["raises KeyError"]),
        ("def g():\n  raise KeyError\n return g", []),
        ("raise error", []),
        ("assert a > 0, 'a'", ["requires a > 0"]),
    ],
)
def test_constraints_carry_their_condition(body: str, wanted: list[str]) -> None:
    assert requirements(f"def f(a, b):\n {body}\n").get("<CONSTRAINT>", []) == wanted


def test_calls_are_named_in_full() -> None:
    inner = "def f(a):\n import numpy as np\n from os import path\n"
    code = "\n ".join(["", "np.linalg.norm(a)", "path.join(a)", "a.b()", "Random(1)", "near()"]).lstrip("\n")
    assert requirements(f"{inner}{code}\nfrom random import Random\nfrom . import near\n")["<API_CALL>"] == [
        "numpy.linalg.norm",
        "os.path.join",
        "random.Random",
        ".near",
    ]


def test_severity_0_is_the_source_as_it_is() -> None:
    assert rows(0)["median"]["input"] == (
        "Requirements of pkg/maths.py: median\n# pkg/maths.py\n"
        'def median(numbers):\n    """Compute the median, which is the middle of the sorted numbers."""\n'
        "    ordered = sorted(numbers)\n    return ordered[len(ordered) // 2]"
    )


def test_severity_1_has_no_comments_and_docstrings() -> None:
    text = rows(1)["wrap"]["input"]
    assert "def wrap(text: str, width: int=70)" in text
    assert '"""' not in text
    assert "# the words" not in text


def test_severity_2_blurs_names_and_keeps_builtins_and_imports() -> None:
    text = rows(2)["wrap"]["input"]
    assert text.startswith("Requirements of pkg/texts.py: f0\n# pkg/texts.py\ndef f0(v0: str, v1: int=70)")
    assert "re.split(" in text
    assert "len(" in text
    assert "wrap" not in text
    assert "width" not in text.replace("width={", "")


def test_severity_3_adds_other_code_and_shuffles_definitions() -> None:
    found = [phase2_rows(repository(), Phase2Config(severities=(3,)), seed) for seed in range(16)]
    texts = [row["input"] for made in found for row in made if row["symbol"] == "wrap"]
    assert all(text.count("# pkg/maths.py\n") == 2 and text.count("# pkg/texts.py\n") == 1 for text in texts)
    assert len({text.index("# pkg/texts.py") for text in texts}) > 1
    orders = {
        row["input"].find("self.total = ") < row["input"].find("self.total +=")
        for made in found
        for row in made
        if row["symbol"] == "Counter"
    }
    assert orders == {True, False}


def test_severity_4_leaves_the_beginning_of_each_section() -> None:
    whole, cut = rows(3, noise_sections=0)["depth"]["input"], rows(4, noise_sections=0)["depth"]["input"]
    assert whole.startswith(cut)
    assert len(cut.split("\n")) < len(whole.split("\n"))


@given(st.lists(st.text("ab ", max_size=5), min_size=1, max_size=30), st.floats(0.01, 1), st.integers(0, 99))
def test_truncation_keeps_the_share_and_drops_a_line(lines: list[str], share: float, seed: int) -> None:
    text = "\n".join(lines)
    left = truncated(text, share, Random(seed)).split("\n")
    assert lines[: len(left)] == left
    assert len(left) >= max(1, round(share * len(lines)))


def test_a_whole_file_may_be_the_unit() -> None:
    (row,) = rows(1, unit="file").values()
    assert (row["path"], row["symbol"]) == ("pkg/texts.py", "")
    assert row["input"].startswith("Requirements of pkg/texts.py\n# pkg/texts.py\nimport re\n")
    found = sections(row["target"])
    assert found["<FUNCTIONAL_REQ>"][0] == "Work with texts."
    assert found["<CLASS_DEF>"] == ["Counter"]


def test_severities_are_drawn_for_each_unit() -> None:
    made = phase2_rows(repository(), Phase2Config(rows_per_unit=3), 1)
    by_unit: dict[str, list[int]] = {}
    for row in made:
        by_unit.setdefault(row["symbol"], []).append(row["severity"])
    assert all(len(set(severities)) == 3 for severities in by_unit.values())
    assert {severity for severities in by_unit.values() for severity in severities} == {0, 1, 2, 3, 4}


def test_units_without_docstring_are_left_out_unless_asked_for() -> None:
    assert "average" not in rows(0)
    assert "average" in rows(0, require_docstring=False)


def test_lengths_are_kept() -> None:
    for row in rows(3, max_input_chars=220, max_target_chars=120).values():
        assert len(row["input"]) <= 220
        assert 0 < len(row["target"]) <= 120


def test_rows_repeat_and_follow_the_schema() -> None:
    first, again = (phase2_rows(order, Phase2Config(), 3) for order in (repository(), repository()[::-1]))
    assert first == again
    assert first != phase2_rows(repository(), Phase2Config(), 4)
    assert pa.Table.from_pylist(first, phase2_schema).num_rows == len(first)
    assert all(json.loads(row["sections"]) == sections(row["target"]) for row in first)


def test_blurred_inputs_are_still_code() -> None:
    for severity in (1, 2, 3):
        for row in rows(severity).values():
            ast.parse(row["input"].split("\n", 1)[1])


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.text(), st.integers(0, 10_000).map(damaged)))
def test_no_text_is_an_error(text: str) -> None:
    documents = [Document("r", "a.py", "python", text), Document("r", "test_a.py", "python", text)]
    made = phase2_rows([*documents, Document("r", "m.py", "python", MATHS)], Phase2Config(require_docstring=False), 0)
    assert pa.Table.from_pylist(made, phase2_schema).num_rows == len(made)


def test_no_documents_and_other_languages_give_no_rows() -> None:
    assert phase2_rows([], Phase2Config(), 0) == []
    assert phase2_rows([Document("r", "a.py", "java", TEXTS)], Phase2Config(), 0) == []
