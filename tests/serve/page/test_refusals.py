"""What goes wrong is one line that says what to do."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest
from playwright.sync_api import expect

from serve.refusals import RefusedError, late, overloaded, too_large
from tests.serve.page.answers import Answers
from tests.serve.page.visit import Opening, ask, finished, status


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (too_large(1000), "The body has more than 1000 bytes: send less, or have limits.max_body_bytes raised."),
        (late(60), "Not finished within 60 s, and given up: ask for fewer tokens."),
        (
            RefusedError(HTTPStatus.NOT_FOUND, "unknown_model", "model='x' is not here: alder"),
            "Model='x' is not here: alder.",
        ),
    ],
)
def test_a_refusal_is_one_line(refusal: RefusedError, said: str, answers: Answers, opened: Opening) -> None:
    answers.refusal = refusal
    page = opened(refusal.status)
    ask(page)
    expect(page.get_by_role("alert")).to_have_text(said)
    status(page).to_have_text("")
    # Support asks for it.
    expect(page.locator("#fact-id")).to_contain_text("51ab")
    answers.refusal = None
    ask(page)
    finished(page)
    expect(page.get_by_role("alert")).to_have_text("")


@pytest.mark.parametrize(
    "refusal",
    [
        overloaded(3),
        RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "this key's rate is used up", retry_after_s=3),
    ],
)
def test_the_time_to_wait_is_counted_down(refusal: RefusedError, answers: Answers, opened: Opening) -> None:
    answers.refusal = refusal
    page = opened(refusal.status)
    page.clock.install()
    ask(page)
    expect(page.locator("#countdown")).to_have_text(re.compile("[123] s to go"))
    # Every second read out would be too much.
    expect(page.get_by_role("alert")).not_to_contain_text("to go")
    page.clock.run_for(3000)
    status(page).to_have_text("You can try again now.")
    expect(page.locator("#countdown")).to_have_text("")


def test_a_field_that_is_refused_is_shown_and_focused(answers: Answers, opened: Opening) -> None:
    answers.refusal = RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field", "max_new_tokens: 9999 asked for", "max_new_tokens", 1024
    )
    page = opened(422)
    ask(page)
    field = page.get_by_label("Max new tokens")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("Max_new_tokens: 9999 asked for.")


@pytest.mark.parametrize(("label", "value"), [("Max new tokens", "0"), ("Temperature", "11")])
def test_a_number_out_of_range_is_refused_before_it_is_sent(
    label: str, value: str, answers: Answers, opened: Opening
) -> None:
    page = opened()
    page.get_by_text("Options").click()
    page.get_by_label(label).fill(value)
    ask(page)
    expect(page.get_by_role("alert")).to_contain_text(f"{label}: ")
    expect(page.get_by_label(label)).to_be_focused()
    assert not answers.asked


def test_no_code_is_refused_before_it_is_sent(answers: Answers, opened: Opening) -> None:
    page = opened()
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_have_text("No code yet: paste some, or choose files.")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    assert not answers.asked


@pytest.mark.parametrize(
    ("ends", "said"),
    [("error", "The model is restarting."), ("silence", "The answer broke off before its end: try again.")],
)
def test_a_stream_that_breaks_off_says_so_and_leaves_what_came(
    ends: Any, said: str, answers: Answers, opened: Opening
) -> None:
    answers.ends = ends
    page = opened()
    ask(page)
    expect(page.get_by_role("alert")).to_have_text(said)
    expect(page.locator("#sections")).to_contain_text("Return the prices")
    expect(page.get_by_role("button", name="Generate")).to_have_attribute("aria-disabled", "false")


def test_a_server_that_does_not_answer_is_one_line(opened: Opening) -> None:
    page = opened("ERR_INTERNET_DISCONNECTED")
    expect(page.locator("#llm option")).to_have_count(3)
    page.context.set_offline(True)
    ask(page)
    expect(page.get_by_role("alert")).to_have_text("The server does not answer: see whether it runs, then try again.")
