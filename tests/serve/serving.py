"""What tests of the applications share: starting one, talking to it, and waiting for what it does in the background."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

Found = TypeVar("Found")

# Far beyond what is needed on two busy cores: a guard against waiting for ever.
PATIENCE_S = 120

SOURCE = "def f(x):\n    return x + 1\n"


def until(condition: Callable[[], Found | None]) -> Found:
    """What ``condition`` returns once it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Client:
    """An application's address."""

    url: str

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=PATIENCE_S)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return httpx.post(self.url + path, json=body, headers=headers, timeout=PATIENCE_S)

    def events(self, path: str, body: Any, **headers: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events, as they come."""
        with httpx.stream("POST", self.url + path, json=body, headers=headers, timeout=PATIENCE_S) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream"), answer.read()
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

    def figure(self, name: str, **labels: str) -> float | None:
        """The sum of a metric's figures that have these labels; None before the first one."""
        found = [
            float(line.rsplit(" ", 1)[1])
            for line in self.get("/metrics").text.splitlines()
            if re.match(rf"{name}(\{{|\s)", line) and all(f'{key}="{value}"' in line for key, value in labels.items())
        ]
        return sum(found) if found else None
