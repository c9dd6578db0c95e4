import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.feedback.leakage import leakage

SOURCE = """
def total(xs):
    kept = [x for x in xs if x % 3 == 0]
    scaled = [x * 7 for x in kept]
    return sum(scaled)
"""
INTERFACE = "def total(xs: list[int]) -> int"
WORDS = st.lists(st.sampled_from(["keep", "every", "multiple", "of", "3", "then", "sum", "them", "up"]), max_size=40)
LETTERS = st.text(alphabet="abcd (+)", max_size=80)


@pytest.mark.parametrize("n", [1, 4, 8, 1000])
def test_pasted_source_leaks_everything(n):
    assert leakage(SOURCE, SOURCE, "", n) == 1.0


def test_filler_does_not_dilute_a_pasted_source():
    assert leakage("once upon a time " * 50 + SOURCE + "the end " * 50, SOURCE, INTERFACE, 8) == 1.0


def test_reformatting_does_not_hide_a_pasted_source():
    assert leakage(SOURCE.replace("\n", " ;".replace(";", "\n\n  ")), SOURCE, INTERFACE, 8) == 1.0


def test_description_does_not_leak():
    text = "keep the elements divisible by 3, multiply each by 7, return the sum"
    assert leakage(text, SOURCE, INTERFACE, 8) == 0.0


def test_repeating_the_interface_does_not_leak():
    source = "def total(xs: list[int]) -> int:\n    return sum(x * 7 for x in xs)"
    assert leakage("write def total(xs: list[int]) -> int for me", source, INTERFACE, 8) == 0.0


def test_one_pasted_line_leaks_in_part():
    line = "kept = [x for x in xs if x % 3 == 0]"
    assert 0 < leakage(f"first compute {line} and then think about the rest of it", SOURCE, INTERFACE, 8) < 1


def test_source_shorter_than_n_is_compared_whole():
    assert leakage("use x + 1 here", "x + 1", "", 8) > 0
    assert leakage("use x + 2 here", "x + 1", "", 8) == 0.0


@pytest.mark.parametrize(("requirements", "source"), [("", SOURCE), ("a b c", ""), ("", ""), ("kept", SOURCE)])
def test_too_short_to_quote_is_zero(requirements, source):
    assert leakage(requirements, source, INTERFACE, 8) == 0.0


def test_source_that_the_interface_says_wholly_is_no_secret():
    assert leakage(SOURCE, SOURCE, SOURCE, 8) == 0.0


def test_n_must_be_positive():
    with pytest.raises(ValueError, match="leakage_ngram=0"):
        leakage("a", "b", "", 0)


@given(LETTERS, LETTERS, LETTERS, st.integers(1, 10))
def test_is_a_share(requirements, source, interface, n):
    assert 0 <= leakage(requirements, source, interface, n) <= 1


@given(WORDS, st.integers(1, 10))
def test_disjoint_texts_do_not_leak(words, n):
    assert leakage(" ".join(words), "alpha = beta ( gamma )", "", n) == 0.0


@given(LETTERS, LETTERS, LETTERS, st.integers(1, 10))
def test_interface_only_lowers_it(requirements, source, interface, n):
    with_all, without = leakage(requirements, source, source, n), leakage(requirements, source, "", n)
    assert with_all == 0.0
    assert without >= 0.0


@given(LETTERS, LETTERS, st.integers(1, 10))
def test_white_space_does_not_count(requirements, source, n):
    assert leakage(requirements.replace(" ", "\n\t "), source, "", n) == leakage(requirements, source, "", n)
