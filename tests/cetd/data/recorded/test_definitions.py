import pytest

from cetd.data.recorded.definitions import Definitions, UndefinedError, program

MODULE = '''
"""What the module is for."""
import re, math as m
from itertools import chain

LIMIT = 3  # a comment that stays
TABLE = {}
for key in "ab":
    TABLE[key] = ord(key)
TABLE.update(z=0)
UNUSED = open

try:
    from _fast import lookup
except ImportError:
    pass


class Base:
    pass


class Reader(Base):
    limit = LIMIT


def helper(x):
    # why
    return TABLE[x]


def entry(x, *, base=LIMIT):
    """It does."""
    re = 5  # local: the module's re is not needed
    return helper(x) + base + re


def bad(x):
    return missing(x)


def fast(x):
    return lookup(x)


@(lambda f: f)
def decorated(x):
    return m.floor(x)
'''


def closure(name: str) -> str:
    definitions = Definitions(MODULE)
    return program(definitions.closure(name))


def test_a_closure_has_all_that_the_function_needs_and_nothing_else():
    text = closure("entry")
    namespace: dict = {}
    exec(text, namespace)
    assert namespace["entry"]("a") == 97 + 3 + 5
    assert "import" not in text
    assert "Reader" not in text
    assert "UNUSED" not in text


def test_statements_that_fill_a_table_belong_to_it():
    text = closure("helper")
    assert 'for key in "ab":' in text
    assert "TABLE.update(z=0)" in text


def test_text_stays_as_it_was_written():
    text = closure("entry")
    assert "LIMIT = 3  # a comment that stays\n" in text
    assert "    # why\n" in text
    assert '"""It does."""' in text


def test_the_order_is_that_of_the_module():
    text = closure("entry")
    assert text.index("LIMIT") < text.index("TABLE") < text.index("def helper") < text.index("def entry")


def test_bases_come_along():
    assert closure("Reader").startswith("LIMIT")
    assert "class Base:" in closure("Reader")


def test_decorators_and_single_imports_come_along():
    text = closure("decorated")
    assert text == "import math as m\n\n\n@(lambda f: f)\ndef decorated(x):\n    return m.floor(x)\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("bad", "missing is not defined in the module"), ("fast", "lookup is bound under a condition")],
)
def test_names_that_cannot_be_taken_out_are_refused(name: str, reason: str):
    with pytest.raises(UndefinedError, match=reason):
        closure(name)


def test_the_python_version_stands_where_an_accelerator_would_replace_it():
    text = "def f(x):\n    return x\n\n\ntry:\n    from _f import f\nexcept ImportError:\n    pass\n"
    assert program(Definitions(text).closure("f")) == "def f(x):\n    return x\n"


TYPED = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from elsewhere import Text

def f(x: Text, y: int = 1) -> Text:
    z: Text = x
    return z
"""


def test_annotations_that_are_never_evaluated_need_nothing():
    text = program(Definitions(TYPED).closure("f"))
    assert text.startswith("from __future__ import annotations\n\n\ndef f(x: Text, y: int = 1) -> Text:\n")
    with pytest.raises(UndefinedError, match="Text is bound under a condition"):
        Definitions(TYPED.replace("from __future__ import annotations\n", "")).closure("f")
