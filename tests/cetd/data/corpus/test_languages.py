"""Files are in the language that their name, or else their first line, says."""

from __future__ import annotations

import pytest

from cetd.data.corpus.languages import LanguageError, check_languages, in_languages, language_of
from tests.cetd.data.corpus.tables import raw


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("a/b.py", b"", "python"),
        ("a/B.PY", b"", "python"),
        ("x.rs", b"", "rust"),
        ("Makefile", b"", "make"),
        ("tool", b"#!/usr/bin/env python3\n", "python"),
        ("tool", b"#!/bin/sh\n", "bash"),
        ("tool", b"\x7fELF", "unknown"),
        ("data.xyz", b"", "unknown"),
    ],
)
def test_language_of_a_file(path: str, content: bytes, language: str) -> None:
    assert language_of(path, content) == language


def test_only_wanted_languages_go_on() -> None:
    rows, stage = in_languages(raw(b"x", language="c"), ["python"])
    assert rows.num_rows == 0
    assert stage.dropped == {"language: c": 1}
    assert in_languages(raw(b"x", language="c"), [])[1].documents_out == 1


def test_a_language_that_nobody_knows_is_refused_with_some_like_it() -> None:
    check_languages(["python", "rust"])
    with pytest.raises(LanguageError, match=r"cleaning.languages='pyhton': no such language; some like it: .*python"):
        check_languages(["pyhton"])
