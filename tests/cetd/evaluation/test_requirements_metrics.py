from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.data.tokenizer import STRUCTURE_TOKENS
from cetd.evaluation.requirements_metrics import Found, figures, token_f1

WANTED = (
    "<FUNCTION_DEF> wrap(text, width)\n<FUNCTIONAL_REQ> Wrap text into lines.\n<API_CALL> re.split\n<API_CALL> re.sub"
)
TEXTS = st.lists(st.tuples(st.sampled_from(STRUCTURE_TOKENS), st.text("ab .", max_size=8)), max_size=5).map(
    lambda items: "\n".join(f"{tag} {text}" for tag, text in items)
)


def test_token_f1_is_that_computed_by_hand() -> None:
    assert token_f1("a b b", "b c") == pytest.approx(2 * 1 / (3 + 2))
    assert token_f1("", "") == 1
    assert token_f1("", "a") == 0


def test_items_are_found_within_their_section() -> None:
    given_text = (
        "<FUNCTION_DEF> wrap(text)\n<FUNCTIONAL_REQ> wrap text, into lines\n<CONSTRAINT> re.split\n<API_CALL> re.sub"
    )
    found = figures([given_text], [WANTED])
    assert found.exact["<FUNCTIONAL_REQ>"] == Found(1, 1, 1)
    assert found.exact["<FUNCTION_DEF>"] == Found(1, 1, 0)
    assert found.soft["<FUNCTION_DEF>"] == Found(1, 1, 1)
    assert found.exact["<API_CALL>"] == Found(1, 2, 1)
    assert found.exact["<CONSTRAINT>"] == Found(1, 0, 0)
    assert found.exact["all"] == Found(4, 4, 2)
    assert (found.exact["all"].precision, found.exact["<CONSTRAINT>"].recall) == (0.5, None)
    assert Found().precision is None


def test_an_item_that_is_said_twice_is_found_once() -> None:
    assert figures(["<API_CALL> re.sub\n<API_CALL> re.sub"], [WANTED]).exact["<API_CALL>"] == Found(2, 2, 1)


def test_means_are_over_rows() -> None:
    found = figures([WANTED, "nothing of it"], [WANTED, WANTED])
    assert (found.rows, found.token_f1, found.rouge_l) == (2, 0.5, 0.5)
    assert 0 < found.bleu < 1


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_text_agrees_with_itself(texts: list[str]) -> None:
    found = figures(texts, texts)
    assert found.token_f1 == pytest.approx(1)
    for tag, items in found.exact.items():
        assert items.agreeing == items.given == items.wanted
        assert found.soft[tag] == items


@given(TEXTS, TEXTS)
def test_figures_stay_between_0_and_1_and_soft_finds_more(given_text: str, wanted: str) -> None:
    found = figures([given_text], [wanted])
    assert all(0 <= value <= 1 + 1e-9 for value in (found.token_f1, found.rouge_l, found.bleu))
    for tag in STRUCTURE_TOKENS:
        assert 0 <= found.exact[tag].agreeing <= min(found.exact[tag].given, found.exact[tag].wanted)
        assert found.soft[tag].agreeing <= min(found.soft[tag].given, found.soft[tag].wanted)


def test_rows_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match="given=1 texts for 2 wanted ones"):
        figures(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="one at least"):
        figures([], [])
