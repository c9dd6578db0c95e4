import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cetd.evaluation.report.markup import cut, element, join, visible
from tests.cetd.evaluation.report.pages import Page

ANYTHING = st.text(st.characters(), max_size=40) | st.sampled_from(["</pre><script>", "&lt;", "\"'>", "\x00\x1b[31m"])


@given(ANYTHING, ANYTHING)
def test_text_stays_text_and_attributes_stay_attributes(text, value):
    page = Page(element("p", element("b", text), title=value))
    assert page.tags == ["p", "b"]
    assert page.text == visible(text)
    assert page.attributes == [("title", visible(value))]


@given(ANYTHING)
def test_nothing_hidden_survives(text):
    hidden = [c for c in visible(text) if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert hidden == []
    visible(text).encode("utf-8")


def test_control_and_direction_characters_are_spelled_out():
    assert visible("a\x00b\u202ec\td\n") == "a\\x00b\\u202ec\td\n"


def test_only_markup_made_here_is_left_as_it_is():
    assert join([element("br"), "<br/>", None]) == "<br/>&lt;br/&gt;"
    assert element("p", "x", class_="a", open=True, hidden=False, aria_label=None, width=1 / 3) == (
        '<p class="a" open width="0.3333">x</p>'
    )


def test_cut_says_what_is_missing():
    assert cut("abc", 3) == "abc"
    assert cut("a" * 2000, 3) == "aaa\n… 1,997 more characters"
