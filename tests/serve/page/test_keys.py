"""API keys are asked for, kept for the tab, and forgotten."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.serve.page.answers import Answers
from tests.serve.page.visit import Opening, ask, finished


def test_a_key_is_asked_for_kept_for_the_tab_and_forgotten(answers: Answers, opened: Opening) -> None:
    answers.key = "cetd-right"
    page = opened(401)
    key = page.get_by_label("API key")
    expect(key).to_be_focused()
    key.fill("cetd-wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-note")).to_have_text("The server does not accept this key: give another.")
    expect(key).to_be_focused()
    key.fill("cetd-right")
    page.keyboard.press("Enter")
    expect(key).to_be_hidden()
    expect(page.locator("#llm option")).to_have_count(3)
    ask(page)
    finished(page)
    kept = page.evaluate("[Object.values(sessionStorage), localStorage.length, document.cookie]")
    assert kept == [["cetd-right"], 0, ""]
    page.reload()
    expect(page.locator("#llm option")).to_have_count(3)
    page.get_by_role("button", name="Forget the API key").click()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_request_without_a_key_goes_on_once_it_is_given(answers: Answers, opened: Opening) -> None:
    page = opened(401)
    expect(page.locator("#llm option")).to_have_count(3)
    answers.key = "cetd-right"
    ask(page)
    page.get_by_label("API key").fill("cetd-right")
    page.get_by_role("button", name="Use this key").click()
    finished(page)
    assert len(answers.asked) == 1
