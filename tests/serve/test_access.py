"""API keys, rates, and who may read the metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from cetd.serving import api_keys
from tests.serve.conftest import Deploying
from tests.serve.serving import Client, until

pytestmark = pytest.mark.ray

ASKED = {"inputs": ["x = 1\n"], "max_new_tokens": 2}


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def client(deploy: Deploying, model_folder: Path, keys_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return deploy(
        "locked",
        runs=str(tmp_path_factory.mktemp("runs")),
        model={"path": str(model_folder)},
        access={"keys": "required", "keys_file": str(keys_file), "metrics": "key", "burst": 5},
    )


def authorised(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", [None, "x", "cetd-", "cetd-" + "A" * 43])
def test_without_a_key_of_the_ring_nothing_is_answered(client: Client, key: str | None) -> None:
    given = {} if key is None else authorised(key)
    for answer in (
        client.post("/infer", ASKED, **given),
        client.get("/openapi.json", **given),
        client.get("/nowhere", **given),
        client.get("/metrics", **given),
    ):
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"


def test_signs_of_life_need_no_key(client: Client) -> None:
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 200


def test_a_key_works_from_when_it_is_made_until_it_is_revoked(client: Client, keys_file: Path) -> None:
    key = api_keys.create(keys_file, "coming-and-going", admin=False, rpm=None)
    until(lambda: client.post("/infer", ASKED, **authorised(key)).status_code == 200)
    api_keys.revoke(keys_file, "coming-and-going")
    until(lambda: client.post("/infer", ASKED, **authorised(key)).status_code == 401)


def test_a_key_has_its_rate(client: Client, keys_file: Path) -> None:
    key = api_keys.create(keys_file, "busy", admin=False, rpm=1)
    until(lambda: client.get("/openapi.json", **authorised(key)).status_code == 200)
    answers = [client.post("/infer", ASKED, **authorised(key)) for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[-1] in refused
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
    # Another's is its own.
    other = api_keys.create(keys_file, "other", admin=False, rpm=None)
    assert client.post("/infer", ASKED, **authorised(other)).status_code == 200


def test_metrics_are_for_admins_here(client: Client, keys_file: Path) -> None:
    admin = api_keys.create(keys_file, "admin", admin=True, rpm=None)
    user = api_keys.create(keys_file, "user", admin=False, rpm=None)
    assert client.get("/metrics", **authorised(user)).status_code == 401
    until(lambda: "cetd_requests_total" in client.get("/metrics", **authorised(admin)).text)
