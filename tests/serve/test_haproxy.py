"""Serve behind HAProxy, as README has it where throughput counts: what else is different there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cetd.evaluation.server_process import Server, free_port, running
from cetd.serving import api_keys
from jobs.bench.serve import environment
from tests.jobs.running import ROOT
from tests.serve.serving import Client

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def client(runs: Path, model_folder: Path) -> Iterator[Client]:
    """An application that listens on all addresses."""
    port = free_port()
    args = {"runs": str(runs), "model": {"path": str(model_folder), "cpus": 0.5}}
    document = {
        "http_options": {"host": "0.0.0.0", "port": port},
        "applications": [{"name": "cetd", "route_prefix": "/", "import_path": "serve.cetd:app", "args": args}],
    }
    (runs / "serve.yaml").write_text(yaml.safe_dump(document))
    server = Server(
        name="serve",
        command=(sys.executable, "-m", "ray.serve.scripts", "run", "--address", "local", str(runs / "serve.yaml")),
        url=f"http://127.0.0.1:{port}",
        ready="/ready",
        log=runs / "serve.log",
        folder=ROOT,
        environment=environment(haproxy=True),
    )
    with running(server):
        yield Client(server.url)


def test_requests_are_answered_to_those_who_have_a_key(client: Client, runs: Path) -> None:
    asked = {"inputs": ["x = 1\n"], "max_new_tokens": 2}
    assert client.post("/infer", asked).status_code == 401
    key = api_keys.create(runs / "keys.json", "user", admin=False, rpm=None)
    answer = client.post("/infer", asked, authorization=f"Bearer {key}")
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == answer.json()["id"]


def test_nobody_seems_to_be_this_machine(client: Client) -> None:
    """HAProxy does not tell where a request comes from, and all come from it."""
    assert client.get("/metrics").status_code == 403


@pytest.mark.parametrize("header", ["x-request-timeout-seconds", "x-request-disconnect-disabled"])
def test_the_watch_for_clients_cannot_be_switched_off(client: Client, header: str) -> None:
    assert client.get("/health", **{header: "1"}).status_code == 400
