"""``python -m jobs.models`` on runs as training and feedback leave them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from cetd.config import FeedbackJobConfig, dump, load
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.registry import Registry
from cetd.training import checkpoint
from cetd.training.checkpoint import LearnerState
from jobs import models
from tests.cetd.serving.lively import lively_model
from tests.jobs.running import TINY

FIGURES = {
    "pass_rate": {"alder": {"before": 0.1, "after": 0.8}},
    "heldout_reward": {"before": 0.1, "after": 0.7},
    "seed": 0,
    "revision": "abc",
}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two feedback runs that have ended, one with a pass rate."""
    for name, seed in (("demo", 5), ("again", 9)):
        folder = tmp_path / name
        folder.mkdir()
        start = lively_model(tmp_path / f"start-{name}", seed)
        policy = huggingface.load(start)
        assert isinstance(policy, EncoderDecoder)
        optimizer = torch.optim.AdamW(policy.parameters())
        checkpoint.save(folder / "checkpoints", policy, optimizer, LearnerState(0, 4, 4, {}), 2, start)
        (folder / "config.yaml").write_text(dump(load(FeedbackJobConfig, TINY)))
        (folder / "rollouts").mkdir()
        (folder / "rollouts" / "000001.parquet").write_bytes(name.encode())
    (tmp_path / "demo" / "summary.json").write_text(json.dumps(FIGURES | {"wall_s": 3}))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], runs: Path, *arguments: str) -> str:
    models.main([*arguments, "--runs", str(runs)])
    return capsys.readouterr().out


def error_of(capsys: pytest.CaptureFixture[str], runs: Path, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        run(capsys, runs, *arguments)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    return shown.err.removeprefix("error: ").strip()


def test_a_version_tells_where_it_comes_from(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, runs, "register", str(runs / "demo"), "--promote").splitlines()[-1] == "cetd:1 is live"
    run(capsys, runs, "register", str(runs / "again"))
    first, second = json.loads(run(capsys, runs, "list", "--json"))
    assert (first["label"], first["live"], second["live"]) == ("cetd:1", True, False)
    told = first["lineage"]
    assert told["run"] == str(runs / "demo")
    assert told["folder"] == str(runs / "demo" / "checkpoints" / "step-000004")
    assert told["summary"] == FIGURES
    assert told["config_sha256"] == hashlib.sha256((runs / "demo" / "config.yaml").read_bytes()).hexdigest()
    assert told["gate"] == {"decision": "scale to 5B", "phase": 3, "pass_rate": 0.8}
    assert told["rollouts"]["files"] == 1
    assert told["parent"] is None
    assert second["lineage"]["parent"] == "cetd:1"
    assert "not there yet" in second["lineage"]["gate"]["undecided"]
    assert "model.safetensors" in json.loads(run(capsys, runs, "show", "2"))["files"]


def test_versions_are_shown_and_verified(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no versions of cetd" in run(capsys, runs, "list")
    run(capsys, runs, "register", str(runs / "demo"), "--promote")
    shown = run(capsys, runs, "list")
    assert "cetd:1" in shown
    assert "80.0%" in shown
    assert "every file is as registered" in run(capsys, runs, "verify", "1")


def test_a_models_own_folder_can_be_registered(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, runs, "register", str(runs / "demo" / "checkpoints" / "step-000004"), "--model", "other")
    (version,) = Registry(runs / "registry").versions("other")
    assert version.lineage["folder"].endswith("step-000004")


def test_promotion_and_rollback(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("demo", "again"):
        run(capsys, runs, "register", str(runs / name), "--promote")
    assert run(capsys, runs, "rollback") == "cetd:1 is live\n"
    assert "no version was live before" in error_of(capsys, runs, "rollback")
    assert "it has 1, 2" in error_of(capsys, runs, "promote", "7")


def test_what_cannot_be_registered_is_said(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in error_of(capsys, runs, "register", str(runs / "nowhere"))
    run(capsys, runs, "register", str(runs / "demo"))
    assert "are cetd:1 already" in error_of(capsys, runs, "register", str(runs / "demo"))
    (runs / "again" / "checkpoints" / "step-000004").rename(runs / "away")
    assert "neither model/ nor a checkpoint" in error_of(capsys, runs, "register", str(runs / "again"))
    (runs / "again" / "checkpoints").rmdir()
    (runs / "away").rename(runs / "again" / "model")
    (runs / "again" / "summary.json").write_text("{")
    assert f"{runs / 'again' / 'summary.json'}: cannot be read" in error_of(
        capsys, runs, "register", str(runs / "again")
    )
    assert "model='../up'" in error_of(capsys, runs, "register", str(runs / "demo"), "--model", "../up")


class Serving(BaseHTTPRequestHandler):
    """Answers with the first version three times, then with what is live."""

    runs: Path
    asked = 0
    said = b""

    def do_GET(self) -> None:
        type(self).asked += 1
        live = Registry(self.runs / "registry").live("cetd")
        version = live.label if live and self.asked > 3 else "cetd:0"
        body = self.said or json.dumps({"model_version": version}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not into the test's output."""


@pytest.fixture
def url(runs: Path) -> Iterator[str]:
    Serving.runs, Serving.asked, Serving.said = runs, 0, b""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_promotion_waits_until_the_version_is_served(runs: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, runs, "register", str(runs / "demo"))
    assert f"{url} serves it after" in run(capsys, runs, "promote", "1", "--url", url)
    assert Serving.asked >= 3 + models.AGREEING


def test_a_version_that_is_not_served_in_time_is_said(runs: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, runs, "register", str(runs / "demo"))
    with pytest.raises(ValueError, match=r"not served after 0.5 s: the last answer was .*cetd:"):
        models.wait_until_served(url, "cetd:7", 0.5)


@pytest.mark.parametrize(
    "said", [b"[]", b"null", b"<h1>\nnot\n found</h1>", b"\xff\xfe"], ids=["list", "null", "page", "bytes"]
)
def test_whatever_is_answered_the_error_is_one_line(
    runs: Path, url: str, capsys: pytest.CaptureFixture[str], said: bytes
) -> None:
    run(capsys, runs, "register", str(runs / "demo"))
    Serving.said = said
    assert "not served after 0.3 s" in error_of(capsys, runs, "promote", "1", "--url", url, "--timeout", "0.3")


@pytest.mark.parametrize("address", ["localhost:8000", "http://", "ftp://host", "http://host:99999", "http://[::1"])
def test_an_address_that_cannot_be_asked_promotes_nothing(
    runs: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    run(capsys, runs, "register", str(runs / "demo"))
    with pytest.raises(SystemExit):
        run(capsys, runs, "promote", "1", "--url", address)
    assert "expected http://HOST:PORT" in capsys.readouterr().err
    assert Registry(runs / "registry").live("cetd") is None
