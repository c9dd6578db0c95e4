"""A real browser with the page at /, against an application whose answers each test chooses."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.serve.page.answers import Answers, app
from tests.serve.page.visit import WIDE, Opening
from tests.serve.serving import PATIENCE_S, until

expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "no chromium on the path: install the package chromium"
    with sync_playwright() as playwright:
        # Chromium's own sandbox is not for root, which tests in containers are.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def url(answers: Answers) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app(answers), log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    answers.let_go()
    server.should_exit = True
    thread.join()


@pytest.fixture
def opened(browser: Browser, url: str) -> Iterator[Opening]:
    """Opens the page; in the end nothing was reported to the console and nothing asked of others.

    ``expected`` are the failures that the browser itself may report: statuses, or its own words.
    """
    contexts, wrong = [], []

    def open_page(*expected: int | str, viewport: Any = WIDE, **options: Any) -> Page:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_S * 1000)

        def told(message: ConsoleMessage) -> None:
            allowed = any(re.search(rf"\b{failure}\b", message.text) for failure in expected)
            if message.type in ("error", "warning") and not allowed:
                wrong.append(message.text)

        page = context.new_page()
        page.on("console", told)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(url) else wrong.append(request.url))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
