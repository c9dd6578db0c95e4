"""Keys, tokens, passwords in addresses, private keys and e-mail addresses, replaced by what says so.

In time that grows with the text's length, whatever the text: no pattern goes over the same characters from many places.

The patterns of tokens are those of the library detect-secrets 1.5 (Apache 2.0), without its entropy and keyword rules:
these take hashes and constants of ordinary code for secrets.
"""

from __future__ import annotations

import base64
import json
import re

import pyarrow as pa

from cetd.data.corpus.counts import Stage, sifted

# The secret is group 1. A second alternative steps over a long word that holds none: else it would be read to its end
# from each place in it where a secret might begin.
_TOKENS = [
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("aws", r"((?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16})"),
        ("aws", r"(?i:aws.{0,20}?(?:key|pwd|pw|password|pass|token).{0,20}?['\"]([0-9a-z/+]{40})['\"])"),
        ("azure storage key", r"(AccountKey=[a-zA-Z0-9+/=]{88})"),
        ("discord", r"([MNO][a-zA-Z\d_-]{23,25}\.[a-zA-Z\d_-]{6}\.[a-zA-Z\d_-]{27})"),
        ("github token", r"((?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9_]{36})"),
        ("gitlab token", r"((?:glpat|gldt|glft|glsoat|glrt)-[A-Za-z0-9_-]{20,50}(?!\w))"),
        ("gitlab token", r"(GR1348941[A-Za-z0-9_-]{20,50}(?!\w))"),
        ("gitlab token", r"(glcbt-(?:[0-9a-fA-F]{2}_)?[A-Za-z0-9_-]{20,50}(?!\w))"),
        ("gitlab token", r"(glimt-[A-Za-z0-9_-]{25}(?!\w))"),
        ("gitlab token", r"(glptt-[A-Za-z0-9_-]{40}(?!\w))"),
        ("gitlab token", r"(glagent-[A-Za-z0-9_-]{50,1024}(?!\w))"),
        ("gitlab token", r"(gloas-[A-Za-z0-9_-]{64}(?!\w))"),
        ("jwt", r"(eyJ[A-Za-z0-9_=-]++\.[A-Za-z0-9_=-]++\.?)|eyJ[A-Za-z0-9_=-]*+"),
        ("mailchimp", r"([0-9a-z]{32}-us[0-9]{1,2})"),
        ("npm", r"/:_authToken=\s*(npm_.+|[A-Fa-f0-9-]{36})"),
        ("openai", r"(sk-[A-Za-z0-9_-]*[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})|sk-[A-Za-z0-9_-]*+"),
        ("pypi token", r"(pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{70,})"),
        ("pypi token", r"(pypi-AgENdGVzdC5weXBpLm9yZw[A-Za-z0-9_-]{70,})"),
        ("sendgrid", r"(SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43})"),
        ("slack", r"(?i:(xox[abposr]-(?:\d+-)+[a-z0-9]+))"),
        ("slack", r"(?i:(https://hooks\.slack\.com/services/T[a-z0-9_]+/B[a-z0-9_]+/[a-z0-9_]+))"),
        ("square oauth", r"(sq0csp-[0-9A-Za-z\\_-]{43})"),
        ("stripe", r"([rs]k_live_[0-9a-zA-Z]{24})"),
        ("telegram token", r"(\d{8,10}:[0-9A-Za-z_-]{35})"),
        ("twilio", r"(AC[a-z0-9]{32})"),
        ("twilio", r"(SK[a-z0-9]{32})"),
    )
]
_WORD = re.compile(r"[\w/+-]++")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?P<kind>(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END (?P=kind)-----|\Z)", re.S
)
# Replaced in its place alone: as a word of its own it may be anything, such as Python's `pass`.
_PASSWORD = re.compile(r"(?<=://)([^\s/:@'\"<>{}]{1,64}:)(?!REDACTED_PASSWORD@)[^\s/@'\"<>{}]{1,128}(?=@)")
_EMAIL = re.compile(r"\b(?!REDACTED_PASSWORD@)[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")
# Names that were set aside for examples (RFC 2606), and the place of what was replaced.
_EXAMPLE = re.compile(r"@(?:.*\.)?example(?:\.(?:com|net|org))?$|\.(?:test|invalid|example)$", re.I)
_EMAIL_PLACE = "name@example.com"


def scrubbed(rows: pa.Table) -> tuple[pa.Table, Stage]:
    """The rows with secrets replaced in ``text``, and their number in ``scrubbed``."""
    texts: list[str] = []
    numbers: list[int] = []
    noted: dict[str, int] = {}
    for text in rows["text"]:
        clean, found = scrub(text.as_py())
        texts.append(clean)
        numbers.append(sum(found.values()))
        for kind in found:
            noted[kind] = noted.get(kind, 0) + 1
    place = rows.schema.get_field_index("text")
    rows = rows.set_column(place, "text", pa.array(texts, pa.large_string()))
    rows = rows.append_column("scrubbed", pa.array(numbers, pa.int32()))
    return sifted("secrets", rows, [None] * rows.num_rows, noted)


def scrub(text: str) -> tuple[str, dict[str, int]]:
    """``text`` without secrets, and how many of each kind there were. What replaces them is found no more."""
    found: dict[str, int] = {}
    if "PRIVATE KEY" in text:
        text, number = _PRIVATE_KEY.subn("REDACTED_PRIVATE_KEY", text)
        found |= {"private key": number} if number else {}
    text, number = _PASSWORD.subn(r"\1REDACTED_PASSWORD", text)
    found |= {"password in an address": number} if number else {}
    for kind, pattern in _TOKENS:
        text, number = _replaced(text, kind, pattern)
        found |= {kind: found.get(kind, 0) + number} if number else {}
    emails = [email for email in _EMAIL.findall(text) if not _EXAMPLE.search(email)] if "@" in text else []
    if emails:
        found["e-mail address"] = len(emails)
        text = _EMAIL.sub(lambda one: one[0] if _EXAMPLE.search(one[0]) else _EMAIL_PLACE, text)
    return text, found


def _replaced(text: str, kind: str, pattern: re.Pattern[str]) -> tuple[str, int]:
    """``text`` without the secrets of a kind, and how many there were.

    What shows by its surroundings that it is one is replaced elsewhere too, as a word of its own.
    """
    secrets = {secret for match in pattern.finditer(text) if (secret := match[1]) and "REDACTED" not in secret}
    if kind == "jwt":
        secrets = set(filter(_is_jwt, secrets))
    if not secrets:
        return text, 0
    place = f"REDACTED_{kind.upper().replace(' ', '_')}"
    parts: list[str] = []
    end = 0
    for match in pattern.finditer(text):
        if match[1] in secrets:
            parts += [text[end : match.start(1)], place]
            end = match.end(1)
    text = "".join([*parts, text[end:]])
    elsewhere = sum(word in secrets for word in _WORD.findall(text))
    if elsewhere:
        text = _WORD.sub(lambda word: place if word[0] in secrets else word[0], text)
    return text, len(parts) // 2 + elsewhere


def _is_jwt(token: str) -> bool:
    """Whether header and payload (RFC 7519) are JSON."""
    try:
        for part in token.removesuffix(".").split("."):
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):  # the latter: nested deeper than anyone's
        return False
    return True
