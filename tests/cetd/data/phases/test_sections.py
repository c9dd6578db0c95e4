from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.data.phases.sections import item, sections, written
from cetd.data.tokenizer import STRUCTURE_TOKENS

ITEMS = st.dictionaries(st.sampled_from(STRUCTURE_TOKENS), st.lists(st.text(), max_size=3))


def test_one_item_a_line_behind_its_token() -> None:
    text = written({"<FUNCTION_DEF>": ["f(a)"], "<CONSTRAINT>": ["a > 0", "raises\n  KeyError"]})
    assert text == "<FUNCTION_DEF> f(a)\n<CONSTRAINT> a > 0\n<CONSTRAINT> raises KeyError"


@given(ITEMS)
def test_what_is_written_is_read(items: dict[str, list[str]]) -> None:
    wanted = {tag: said for tag, texts in items.items() if (said := [item(text) for text in texts if item(text)])}
    assert sections(written(items)) == wanted


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(texts and tag in STRUCTURE_TOKENS for tag, texts in sections(text).items())


def test_what_a_model_makes_of_it_is_read() -> None:
    said = "Sure: <CONSTRAINT><API_CALL> re.split <API_CALL>re.sub\nand more\n<UNKNOWN> x <CONSTRAINT"
    assert sections(said) == {"<API_CALL>": ["re.split", "re.sub and more <UNKNOWN> x <CONSTRAINT"]}


@given(ITEMS, st.integers(0, 80))
def test_a_limit_leaves_whole_lines(items: dict[str, list[str]], limit: int) -> None:
    whole, cut = written(items), written(items, limit)
    assert len(cut) <= limit
    assert cut in (whole, "") or whole.startswith(f"{cut}\n")


def test_a_token_within_an_item_is_words() -> None:
    assert sections(written({"<API_CALL>": ["a <CONSTRAINT> b"]})) == {"<API_CALL>": ["a CONSTRAINT b"]}


def test_another_section_is_refused() -> None:
    with pytest.raises(ValueError, match="section='<OTHER>' is not known"):
        written({"<OTHER>": ["a"]})
