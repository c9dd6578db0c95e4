"""Replicas that are killed under load, and more load than is taken."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.serve.conftest import Deploying
from tests.serve.serving import Client, until

pytestmark = pytest.mark.ray

CLIENTS = 6
RECOVERY_S = 30.0


class Load:
    """Clients that ask without a pause; what they were answered, and when."""

    def __init__(self, client: Client, max_new_tokens: int = 8) -> None:
        self._client, self._tokens = client, max_new_tokens
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(CLIENTS)
        self.answers: list[tuple[float, int, str]] = []

    def __enter__(self) -> Load:
        self._asking = [self._threads.submit(self._ask, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for asking in self._asking:
            asking.result()

    @property
    def statuses(self) -> Counter[int]:
        return Counter(status for _, status, _ in self.answers)

    def _ask(self, number: int) -> None:
        asked = 0
        while not self._stop.is_set():
            asked += 1
            body = {"inputs": [f"def f{number}_{asked}(x):\n    return x\n"], "max_new_tokens": self._tokens}
            answer = self._client.post("/infer", body)
            self.answers.append((time.monotonic(), answer.status_code, answer.text))


def replicas(name: str) -> list[psutil.Process]:
    """The processes of an application's model."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::ServeReplica:{name}:Model"):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_no_request_is_lost_with_one_of_two_replicas(deploy: Deploying, model_folder: Path, tmp_path: Path) -> None:
    client = deploy("two", runs=str(tmp_path), model={"path": str(model_folder), "replicas": 2})
    until(lambda: len(replicas("two")) == 2)
    with Load(client) as load:
        until(lambda: len(load.answers) > 30)
        os.kill(replicas("two")[0].pid, signal.SIGKILL)
        killed = len(load.answers)
        until(lambda: len(load.answers) > killed + 100)
    assert load.statuses == {200: len(load.answers)}, [text for _, status, text in load.answers if status != 200][:3]


def test_with_the_only_replica_gone_answers_are_503_until_another_is_there(
    deploy: Deploying, model_folder: Path, tmp_path: Path
) -> None:
    client = deploy("one", runs=str(tmp_path), model={"path": str(model_folder)}, limits={"max_queued": 2})
    with Load(client) as load:
        until(lambda: len(load.answers) > 20)
        os.kill(replicas("one")[0].pid, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: any(at > killed + 1 and status == 200 for at, status, _ in load.answers))
        recovered = time.monotonic() - killed
    assert set(load.statuses) <= {200, 503}, [text for _, status, text in load.answers if status not in (200, 503)]
    assert recovered < RECOVERY_S
    assert client.get("/ready").status_code == 200


def test_what_is_too_much_is_refused_with_when_to_come_back(
    deploy: Deploying, model_folder: Path, tmp_path: Path
) -> None:
    client = deploy(
        "full",
        runs=str(tmp_path),
        model={"path": str(model_folder)},
        batching={"max_rows": 1},
        limits={"max_queued": 1, "retry_after_s": 7},
    )
    with ThreadPoolExecutor(40) as threads:

        def ask(number: int) -> httpx.Response:
            body = {"inputs": [f"x = {number}\n"], "max_new_tokens": 100, "temperature": 1.0}
            return client.post("/infer", body)

        answers = list(threads.map(ask, range(40)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in refused:
        assert answer.headers["retry-after"] == "7"
        assert answer.json()["error"]["code"] == "overloaded"
    # What was taken was answered whole, and the queue is free again.
    assert client.post("/infer", {"inputs": ["x = 1\n"], "max_new_tokens": 2}).status_code == 200
