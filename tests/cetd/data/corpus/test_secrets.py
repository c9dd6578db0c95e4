"""Secrets leave the text, and what looks like code stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.data.corpus.secrets import scrub, scrubbed
from tests.cetd.data.corpus.tables import documents

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2" * 9
SLACK = "xoxb-" + "123456789012-" + "1234567890123-" + "AbCdEfGhIjKlMnOpQrStUvWx"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow" + "A" * 40 + "\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        (AWS, "aws"),
        (GITHUB, "github token"),
        (SLACK, "slack"),
        (KEY, "private key"),
        ("jane.roe+work@corp.acme.io", "e-mail address"),
    ],
)
def test_a_secret_is_replaced_and_counted(secret: str, kind: str) -> None:
    text, found = scrub(f"config = '''{secret}'''\nother = '''{secret}'''\n")
    assert secret not in text
    assert found[kind] == 2
    assert text.startswith("config = '''")


def test_a_password_in_an_address_is_replaced_and_the_address_stays() -> None:
    text, found = scrub("URL = 'https://jane:pass@db.acme.io/x'\nfor x in y:\n    pass\n")
    assert text == "URL = 'https://jane:REDACTED_PASSWORD@db.acme.io/x'\nfor x in y:\n    pass\n"
    assert found == {"password in an address": 1}


def test_a_private_key_without_an_end_is_cut_to_the_end() -> None:
    assert scrub("x = 1\n" + KEY[:60])[0] == "x = 1\nREDACTED_PRIVATE_KEY"


@pytest.mark.parametrize(
    "text",
    [
        "@property\ndef name(self): ...\n",
        "digest = 'd41d8cd98f00b204e9800998ecf8427e'\n",
        "mail = 'someone@example.com'\n",
        "x = matrix @ other.T\n",
        "password = get_password(user)\n",
    ],
)
def test_ordinary_code_stays_as_it_is(text: str) -> None:
    assert scrub(text) == (text, {})


def test_documents_carry_how_many_were_replaced() -> None:
    rows, stage = scrubbed(documents([f"a = '{AWS}'\n", "b = 1\n"]))
    assert rows["scrubbed"].to_pylist() == [1, 0]
    assert (stage.documents_out, stage.noted) == (2, {"aws": 1})


@given(st.lists(st.sampled_from([AWS, GITHUB, KEY, "a@b.co", "x = 1\n", " ", "'", "://u:pass4word@h"]), max_size=8))
def test_what_is_scrubbed_holds_no_more_secrets(parts: list[str]) -> None:
    once, _ = scrub("".join(parts))
    assert scrub(once) == (once, {})
