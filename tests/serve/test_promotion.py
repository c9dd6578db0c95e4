"""Versions that take over while requests come in, and versions that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cetd.registry import Registry
from tests.cetd.serving.lively import lively_model
from tests.serve.conftest import Deploying
from tests.serve.serving import Client, until
from tests.serve.test_faults import Load

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where versions 1 to 3 of cetd are registered, and 1 is live."""
    path = tmp_path_factory.mktemp("runs")
    registry = Registry(path / "registry")
    for seed in (5, 9, 10):
        registry.register("cetd", lively_model(tmp_path_factory.mktemp("model"), seed), {"run": f"seed {seed}"})
    registry.promote("cetd", 1)
    return path


@pytest.fixture(scope="module")
def client(deploy: Deploying, runs: Path) -> Client:
    return deploy("promoted", runs=str(runs), model={"replicas": 2}, limits={"cache_ttl_s": 300})


def versions(load: Load) -> set[str]:
    return {label for label in ("cetd:1", "cetd:2", "cetd:3") if any(f'"{label}"' in text for *_, text in load.answers)}


def test_promotion_and_rollback_fail_no_request(client: Client, runs: Path) -> None:
    registry = Registry(runs / "registry")
    with Load(client, max_new_tokens=60) as load:
        until(lambda: len(load.answers) > 20)
        registry.promote("cetd", 2)
        until(lambda: "cetd:2" in versions(load))
        registry.rollback("cetd")
        told = len(load.answers)
        until(lambda: any('"cetd:1"' in text for *_, text in load.answers[told + 20 :]))
    assert load.statuses == {200: len(load.answers)}
    assert versions(load) == {"cetd:1", "cetd:2"}


def test_the_cache_forgets_what_another_version_said(client: Client, runs: Path) -> None:
    body = {"source": "def f3(x):\n    return x * 111\n"}
    registry = Registry(runs / "registry")
    until(lambda: client.post("/v1/requirements", body).json()["model_version"] == "cetd:1")
    before = client.post("/v1/requirements", body).json()
    assert before["cached"]
    registry.promote("cetd", 3)
    until(lambda: all(client.get("/ready").json()["model_version"] == "cetd:3" for _ in range(8)))
    after = client.post("/v1/requirements", body).json()
    assert after["model_version"] == "cetd:3"
    assert after["text"] != before["text"]


def test_a_version_with_other_files_than_were_registered_does_not_take_over(client: Client, runs: Path) -> None:
    registry = Registry(runs / "registry")
    registry.promote("cetd", 2)
    until(lambda: all(client.get("/ready").json()["model_version"] == "cetd:2" for _ in range(8)))
    file = next(registry.version("cetd", 1).folder.rglob("*.safetensors"))
    file.chmod(0o644)
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    live = registry.version("cetd", 1)
    # Between the promotion, which looks at the files, and the replica, which does too.
    registry.promote("cetd", 1)
    file.write_bytes(changed)
    with pytest.raises(ValueError, match=file.name):
        registry.verify(live)
    assert client.post("/infer", {"inputs": ["x = 1\n"]}).status_code == 200
