import hmac
import json
import logging
import os
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from cetd.serving import api_keys
from cetd.serving.api_keys import Holder, KeyRing, create, revoke


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "keys.json"


def test_a_key_opens_for_its_holder_and_nothing_else_does(path):
    ci, root = create(path, "ci", False, 30), create(path, "root", True, None)
    ring = KeyRing.load(path)
    assert ring.holder(ci) == Holder("ci", admin=False, requests_per_minute=30)
    assert ring.holder(root) == Holder("root", admin=True, requests_per_minute=None)
    digest = ring.keys["ci"].sha256
    for wrong in ("", "cetd-", ci[:-1], ci + "x", f"Bearer {ci}", ci.upper(), digest, "é\ud800", "\0"):
        assert ring.holder(wrong) is None


def test_a_key_is_256_random_bits_and_only_its_digest_is_kept(path):
    key = create(path, "ci", False, None)
    assert api_keys.PATTERN.fullmatch(key)
    assert key not in path.read_text()
    (entry,) = json.loads(path.read_text()).values()
    assert entry == {"sha256": sha256(key.encode()).hexdigest(), "created": entry["created"], "admin": False}


def test_the_file_is_for_its_owner_only_and_nothing_is_left_beside_it(path):
    before = os.umask(0o022)
    try:
        create(path, "ci", False, None)
        path.chmod(0o644)
        revoke(path, "ci")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    finally:
        assert os.umask(before) == 0o022
    assert {one.name for one in path.parent.iterdir()} == {"keys.json", ".keys.json.lock"}


def test_every_entry_is_compared_whichever_key_is_presented(path, monkeypatch):
    keys = [create(path, name, False, None) for name in ("a", "b", "c")]
    revoke(path, "b")
    ring, compared = KeyRing.load(path), []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda kept, given: compared.append(kept) or real(kept, given))
    for presented in (*keys, "none"):
        compared.clear()
        ring.holder(presented)
        assert compared == [key.sha256 for key in ring.keys.values()]


def test_a_revoked_key_stops_and_a_new_one_opens_without_loading_anew(path):
    ring = KeyRing.load(path)
    assert ring.holder("cetd-") is None
    old = create(path, "ci", False, None)
    ring = ring.refreshed()
    assert ring.holder(old)
    assert ring.refreshed() is ring
    revoke(path, "ci")
    ring = ring.refreshed()
    assert ring.holder(old) is None
    new = create(path, "ci", True, None)
    ring = ring.refreshed()
    assert ring.holder(new) == Holder("ci", admin=True, requests_per_minute=None)
    assert ring.holder(old) is None
    path.unlink()
    assert ring.refreshed().holder(new) is None


def test_a_file_that_is_damaged_meanwhile_leaves_the_keys_as_they_were_and_says_so_once(path, caplog):
    key = create(path, "ci", False, None)
    ring = KeyRing.load(path)
    path.write_text("{")
    with caplog.at_level(logging.ERROR):
        ring = ring.refreshed().refreshed()
    assert ring.holder(key)
    assert len(caplog.messages) == 1
    create_again = json.dumps({"ci": ring.keys["ci"].model_dump() | {"revoked": "now"}})
    path.write_text(create_again)
    assert ring.refreshed().holder(key) is None


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("[]", "object"),
        ('{"ci": 1}', "ci: "),
        ('{"ci": {"created": ""}}', "ci: sha256: Field required"),
        (f'{{"ci": {{"sha256": "{DIGEST}0", "created": ""}}}}', "ci: sha256: String should match"),
        (f'{{"ci": {{"sha256": "{DIGEST}", "created": "", "admin": "yes"}}}}', "ci: admin: "),
        (f'{{"ci": {{"sha256": "{DIGEST}", "created": "", "key": 1}}}}', "ci: key: Extra"),
        (f'{{"ci": {{"sha256": "{DIGEST}", "created": "", "requests_per_minute": 0}}}}', "requests_per_minute: "),
        (f'{{"../ci": {{"sha256": "{DIGEST}", "created": ""}}}}', "../ci: "),
        ("\udcff", "Invalid JSON"),
    ],
)
def test_a_malformed_file_is_one_line_without_its_content(path, text, message):
    path.parent.mkdir()
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"jobs\.keys") as raised:
        KeyRing.load(path)
    said = str(raised.value)
    assert said.startswith(f"keys={path}: ")
    assert message in said
    assert "\n" not in said
    assert DIGEST not in said
    with pytest.raises(ValueError, match=r"jobs\.keys"):
        create(path, "new", False, None)
    assert path.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_what_cannot_be_a_key_is_refused_and_leaves_the_file(path):
    create(path, "ci", False, None)
    before = path.read_text()
    for name, rpm, message in (("ci", None, "has a key"), ("../x", None, "use letters"), ("b", 0, "at least 1")):
        with pytest.raises(ValueError, match=message):
            create(path, name, False, rpm)
    with pytest.raises(ValueError, match=r"no such key .* known are ci"):
        revoke(path, "no")
    assert path.read_text() == before


def test_a_second_revocation_keeps_the_time_of_the_first(path, monkeypatch):
    create(path, "ci", False, None)
    monkeypatch.setattr(api_keys, "_now", lambda: "first")
    revoke(path, "ci")
    monkeypatch.setattr(api_keys, "_now", lambda: "second")
    revoke(path, "ci")
    assert KeyRing.load(path).keys["ci"].revoked == "first"


def test_keys_that_several_processes_make_at_once_are_all_kept(path):
    code = "import sys; from pathlib import Path; from cetd.serving.api_keys import create; print(flush=1); input()\n"
    code += "for index in range(20): create(Path(sys.argv[1]), f'{sys.argv[2]}{index}', False, None)"
    command = [sys.executable, "-c", code, str(path)]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(KeyRing.load(path).keys) == 40
