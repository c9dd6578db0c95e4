"""A small repository of code, for the tests of phases 1 and 2."""

from __future__ import annotations

from cetd.data.corpus.document import Document

TEXTS = '''"""Work with texts."""
import re
from functools import lru_cache

WIDTH = 70


def wrap(text: str, width: int = 70) -> list[str]:
    """Wrap a paragraph of text into lines of at most width characters.

    >>> wrap('a b', 1)
    ['a', 'b']

    :param width: longest line
    """
    if width <= 0:
        raise ValueError(f"width={width}")
    lines = []
    for word in re.split(r"\\\\s+", text):  # the words
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=None)
def depth(nested: tuple) -> int:
    """Return how deeply the tuples are nested in one another."""
    assert isinstance(nested, tuple)
    return 1 + max((depth(one) for one in nested if isinstance(one, tuple)), default=0)


def chunks(items, size):
    """See wrap for the details of this."""
    for start in range(0, len(items), size):
        yield items[start:start + size]


class Counter:
    """Counts how often each word was seen."""

    step = 1

    def __init__(self, start=0):
        """Start counting at the given number."""
        self.total = start

    def seen(self, word):
        """Record one more occurrence of the word, and tell the total."""
        if not word:
            raise KeyError(word)
        self.total += self.step
        return self.total

    def twice(self, word):
        self.seen(word)
        return self.seen(word=word)
'''

MATHS = '''
def mean(numbers):
    """Compute the arithmetic mean of a list of numbers."""
    total = sum(numbers)
    return total / len(numbers)


def average(values):
    total = sum(values)
    return total / len(values)


def mean_again(numbers):
    total = sum(numbers)
    return total / len(numbers)


def median(numbers):
    """Compute the median, which is the middle of the sorted numbers."""
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2]
'''

TESTS = """
import unittest
from texts import wrap

def test_wrap():
    assert wrap("a b c", 3) == ["a b", "c"]
    assert wrap(text(), 3) == []

class WrapTest(unittest.TestCase):
    def test_refused(self):
        self.assertRaises(ValueError, wrap, "a", 0)
        self.assertEqual(wrap("", 5), [""])
        self.assertTrue(wrap("a"))
"""


def repository() -> list[Document]:
    files = {"pkg/texts.py": TEXTS, "pkg/maths.py": MATHS, "pkg/tests/test_texts.py": TESTS}
    return [Document("pkg", path, "python", text) for path, text in files.items()]
