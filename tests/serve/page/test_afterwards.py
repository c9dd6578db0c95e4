"""Verdicts, copies, and waiting for a model."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.serve.page.answers import REQUIREMENTS, Answers
from tests.serve.page.visit import Opening, ask, finished


def test_a_verdict_is_sent(answers: Answers, opened: Opening) -> None:
    page = opened()
    expect(page.locator("#feedback")).to_be_hidden()
    ask(page)
    finished(page)
    page.get_by_role("button", name="Send").click(force=True)
    page.get_by_role("button", name="Good").click()
    page.get_by_role("button", name="Poor").click()
    expect(page.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "false")
    page.get_by_label("Comment").fill("the order is missing")
    page.keyboard.press("Enter")
    expect(page.locator("#thanks")).to_have_text("Thank you: your verdict is kept.")
    request = page.locator("#fact-id").inner_text()
    assert answers.asked[1:] == [
        ("/v1/feedback", {"request_id": request, "rating": 1, "comment": "the order is missing"})
    ]


def test_where_nothing_is_recorded_no_further_verdict_is_asked_for(answers: Answers, opened: Opening) -> None:
    answers.records = False
    page = opened(409)
    ask(page)
    finished(page)
    page.get_by_role("button", name="Good").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#thanks")).to_have_text("Verdicts are not kept on this server.")
    expect(page.get_by_role("alert")).to_have_text("")
    ask(page)
    expect(page.locator("#thanks")).to_have_text("")
    finished(page)
    expect(page.locator("#feedback")).to_be_hidden()


def test_texts_are_copied(opened: Opening) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    ask(page, llm="alder")
    finished(page)
    page.locator("#copy-requirements").click()
    expect(page.locator("#copy-requirements")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == REQUIREMENTS
    page.locator("#copy-program").click()
    expect(page.locator("#copy-program")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("def above")
    expect(page.locator("#copy-program")).to_have_text("Copy")


def test_a_model_that_is_loading_is_waited_for(answers: Answers, opened: Opening) -> None:
    answers.ready = False
    page = opened(503)
    expect(page.locator("#served")).to_have_text("The model is loading…")
    answers.ready = True
    expect(page.locator("#served")).to_have_text("cetd:3 is ready")
