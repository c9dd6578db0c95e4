from __future__ import annotations

import pytest

from cetd.evaluation.copying import Nearest, signature_only


def test_the_nearest_example_is_copied() -> None:
    nearest = Nearest(["def wrap_text(width): pass", "def mean(numbers): pass"], ["wraps", "means"])
    assert nearest("the mean of some numbers") == "means"
    with pytest.raises(ValueError, match="none were given"):
        Nearest([], [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Requirements of a.py: f\n# a.py\ndef g(a):\n    pass\ndef f(b: int = 2) -> int:\n    pass",
            "<FUNCTION_DEF> f(b: int = 2) -> int",
        ),
        (
            "Requirements of a.py: C0\n# a.py\nclass C0(Base):\n\n    def f0(self):\n        pass",
            "<CLASS_DEF> C0(Base)",
        ),
        ("Requirements of a.py: f\n# a.py\nasync def f():\n    pass", "<FUNCTION_DEF> async f()"),
        ("Requirements of a.py: gone\n# a.py\ndef g(a):\n    pass", "<FUNCTION_DEF> g(a)"),
        ("nothing", ""),
    ],
)
def test_the_signature_of_what_is_asked_about_is_read_off_the_input(text: str, wanted: str) -> None:
    assert signature_only(text) == wanted
