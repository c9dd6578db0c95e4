"""Secrets leave the text, and what looks like code stays."""

from __future__ import annotations

import base64
import re
import time
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.data.corpus.secrets import scrub, scrubbed
from tests.cetd.data.corpus.tables import documents

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
GITHUB = "ghp_" + "a1B2" * 9
SLACK = "xoxb-" + "123456789012-" + "1234567890123-" + "AbCdEfGhIjKlMnOpQrStUvWx"
OPENAI = "sk-" + "proj-" + "a1B2" * 5 + "T3BlbkFJ" + "c3D4" * 5
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow" + "A" * 40 + "\n-----END RSA PRIVATE KEY-----"
# fmt: off
PLUGINS = [
    "aws", "azure_storage_key", "discord", "github_token", "gitlab_token", "jwt", "mailchimp", "npm", "openai",
    "pypi_token", "sendgrid", "slack", "square_oauth", "stripe", "telegram_token", "twilio",
]
# fmt: on


def jwt(payload: str) -> str:
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ('{"alg":0}', payload))


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        (AWS, "aws"),
        (GITHUB, "github token"),
        ("glpat-" + "a1B2c" * 4, "gitlab token"),
        ("glcbt-" + "a1B2c" * 4, "gitlab token"),
        (jwt('{"sub":"jane"}'), "jwt"),
        (OPENAI, "openai"),
        (SLACK, "slack"),
        (KEY, "private key"),
        ("jane.roe+work@corp.acme.io", "e-mail address"),
    ],
)
def test_a_secret_is_replaced_and_counted(secret: str, kind: str) -> None:
    text, found = scrub(f"config = '''{secret}'''\nother = '''{secret}'''\n")
    place = re.escape("name@example.com" if "@" in secret else f"REDACTED_{kind.upper().replace(' ', '_')}")
    assert re.fullmatch(f"config = '''{place}'''\nother = '''{place}'''\n", text)
    assert found == {kind: 2}


def test_what_shows_by_its_surroundings_is_replaced_elsewhere_too() -> None:
    text, found = scrub(f"aws_secret_key = '{AWS_SECRET}'\nconnect({AWS_SECRET!r})\n")
    assert text == "aws_secret_key = 'REDACTED_AWS'\nconnect('REDACTED_AWS')\n"
    assert found == {"aws": 2}
    assert scrub(f"connect({AWS_SECRET!r})\n")[1] == {}


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
        "header = 'eyJhbGciOjB9.eyJhbGciOjB'\n",
        "deep = '" + jwt('{"a":' + "[" * 9999) + "'\n",
        "task-" + "a1B2" * 9 + "\n",
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


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_detect_secrets_finds_is_found(data: st.DataObject) -> None:
    plugin = vars(import_module(f"detect_secrets.plugins.{data.draw(st.sampled_from(PLUGINS))}"))
    [detector] = [one() for name, one in plugin.items() if name.endswith("Detector") and name != "RegexBasedDetector"]
    pattern = data.draw(st.sampled_from(list(detector.denylist)))
    secret = data.draw(st.from_regex(pattern, alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
    text, found = scrub(f"x = {secret}\n")
    assert found or not any(detector.analyze_string(secret))
    assert not any(detector.analyze_string(text))


def seconds(text: str) -> float:
    """Of this process alone; the least of some, as others share the machine."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        scrub(text)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "sk-",
            "eyJ",
            "eyJ.",
            "//",
            "//a/:_authToken=",
            "/:_authToken= ",
            "glagent-",
            "glpat-",
            "xoxb-1-",
            "AKIA",
            "0",
        ),
        *(
            "aws",
            "awskey '",
            "://a:",
            "https://a",
            "a@",
            "a.",
            "@a.",
            "a@a.",
            "-----BEGIN PRIVATE KEY-----",
            "A ",
            "\n",
        ),
        *("aws_key='{:040}'\n", "ghp_{:036}\n", "//r/:_authToken=npm_{}\n"),
    ],
)
def test_time_grows_with_the_length_alone(unit: str) -> None:
    short, long = ("".join(unit.format(n) for n in range(size // len(unit))) for size in (10_000, 80_000))
    # 8 times as long; what grows with the square takes 64 times as long, and the first run has more to fear from noise.
    assert seconds(long) < 24 * max(seconds(short), 0.001)
