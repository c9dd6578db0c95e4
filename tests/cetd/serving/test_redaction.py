import pytest

from cetd.serving.redaction import redact

SECRETS = {
    "api key": "cetd-" + "aB3_-x" * 7 + "z",
    "e-mail address": "jane.doe@corp.de",
    "password": "https://jane:hunter2@db.corp.de/x",
    "token": "ghp_" + "a1B2" * 9,
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKC\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "key material": "A1b2" * 100,
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_taken_out_and_the_rest_stays(kind):
    secret = SECRETS[kind]
    text = f"def f(x):\n    # see\n    token = '{secret}'\n    return x + 1\n"
    clean = redact(text)
    for part in ("hunter2",) if kind == "password" else secret.splitlines():
        assert part not in clean
    assert clean.startswith("def f(x):\n    # see\n    token = '")
    assert clean.endswith("'\n    return x + 1\n")


def test_ordinary_code_is_left_as_it_is():
    text = (
        "class A:\n    def mail(self, to='name@example.com') -> str:\n        return f'{self.key[:5]}-{to}' # ü 你好\n"
        * 9
    )
    assert redact(text) == text


def test_long_words_leave_only_their_place_and_long_lines_stay():
    assert redact("x = '" + "a" * 257 + "'\ny = 1") == "x = 'REDACTED_LONG_WORD'\ny = 1"
    assert redact("a b " * 2000) == "a b " * 2000


def test_lone_surrogates_become_what_a_file_can_hold():
    assert redact("a\ud800b😀") == "a\ufffdb😀"
