"""Keys, tokens, passwords in addresses, private keys and e-mail addresses, replaced by what says so.

The patterns of tokens are those of the library detect-secrets, without its entropy and keyword rules: these take
hashes and constants of ordinary code for secrets.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

import pyarrow as pa
from detect_secrets.plugins.base import RegexBasedDetector

from cetd.data.corpus.counts import Stage, sifted

_DETECTORS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
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
    for kind, detector in _detectors().items():
        secrets = {secret for secret in detector.analyze_string(text) if "REDACTED" not in secret}
        # The longest first: one may be a part of another.
        for secret in sorted(secrets, key=lambda one: (-len(one), one)):
            found[kind] = found.get(kind, 0) + text.count(secret)
            text = text.replace(secret, f"REDACTED_{kind.upper().replace(' ', '_')}")
    emails = [email for email in _EMAIL.findall(text) if not _EXAMPLE.search(email)] if "@" in text else []
    if emails:
        found["e-mail address"] = len(emails)
        text = _EMAIL.sub(lambda one: one[0] if _EXAMPLE.search(one[0]) else _EMAIL_PLACE, text)
    return text, found


@cache
def _detectors() -> dict[str, RegexBasedDetector]:
    return {
        module.replace("_", " "): getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        for module, name in _DETECTORS.items()
    }
