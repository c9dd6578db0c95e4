from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.data.phases.requirement import requirement, sentences, shortened, summary


@pytest.mark.parametrize(
    ("docstring", "wanted"),
    [
        ("Return the sum of both numbers.", "The function shall return the sum of both numbers."),
        ("Returns the sum of both numbers.", "The function shall return the sum of both numbers."),
        ("Copies files, and matches names.", "The function shall copy files, and matches names."),
        ("This function is used to parse the whole file.", "The function shall parse the whole file."),
        ("Setting the width of a column", "The function shall set the width of a column"),
        ("The longest of the given lines.", "The function shall provide: the longest of the given lines."),
        ("URL of the page that was read.", "The function shall provide: URL of the page that was read."),
        ("Wrap :class:`Text` and ``other`` things.\n\nMore.", "The function shall wrap Text and other things."),
        (
            "wrap(text, width) -> list\n\nWrap text into several lines.",
            "The function shall wrap text into several lines.",
        ),
        ("Wrap text into lines.\n>>> wrap('a b c')\n['a b c']", "The function shall wrap text into lines."),
        ("Wrap text into lines.\n:param text: what", "The function shall wrap text into lines."),
    ],
)
def test_a_docstring_becomes_what_the_function_shall_do(docstring: str, wanted: str) -> None:
    assert requirement(docstring, "name", False, 3, 300) == wanted


def test_a_class_is_called_one() -> None:
    assert requirement("Parse the given file.", "Parser", True, 3, 300) == "The class shall parse the given file."


@pytest.mark.parametrize(
    "docstring",
    [
        "",
        "   ",
        "See wrap for more about it.",
        "TODO: write this some day",
        "Wrap text.",
        "Deprecated, use other things.",
    ],
)
def test_a_docstring_that_says_nothing_gives_none(docstring: str) -> None:
    assert requirement(docstring, "other", False, 3, 300) is None


def test_words_that_only_repeat_the_name_are_nothing() -> None:
    assert requirement("Get the last line number.", "get_last_line_number", False, 3, 300) is None
    assert requirement("Get the last line number.", "last", False, 3, 300) is not None


def test_sentences_are_told_apart_where_one_begins() -> None:
    assert sentences("One e.g. this. Two? Three") == ["One e.g. this.", "Two?", "Three"]


@given(st.text(), st.text(), st.integers(1, 200))
def test_any_docstring_is_taken_and_the_limit_holds(docstring: str, name: str, limit: int) -> None:
    said = requirement(docstring, name, False, 1, limit)
    assert said is None or (len(said) <= limit and "\n" not in said)
    assert "\n" not in summary(docstring)


@given(st.text(), st.integers(1, 50))
def test_a_shortened_text_is_a_beginning(text: str, limit: int) -> None:
    assert text.startswith(shortened(text, limit))
