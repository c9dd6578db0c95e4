"""Requirements and programs as they are written and as they stand in the end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.serve.page.answers import REQUIREMENTS, Answers
from tests.serve.page.visit import Opening, ask, finished, listed, status
from tests.serve.serving import SOURCE, until


def test_requirements_are_shown_while_they_are_written(answers: Answers, opened: Opening) -> None:
    answers.hold(after=4)
    page = opened()
    ask(page)
    expect(page.locator("#sections")).to_contain_text("Return the prices")
    status(page).to_have_text("Writing requirements…")
    expect(page.locator("#requirements-panel")).to_have_attribute("aria-busy", "true")
    assert "<FUNC" not in page.locator("#sections").inner_text()
    answers.let_go()
    finished(page)
    expect(page.locator("#requirements-panel")).to_have_attribute("aria-busy", "false")


def test_a_tag_that_is_cut_in_two_is_no_text(answers: Answers, opened: Opening) -> None:
    answers.hold(after=1)
    page = opened()
    ask(page)
    expect(page.locator("#plain-text")).to_have_text("<FUNCTIONAL")
    assert listed(page) == {}


def test_sections_have_readable_labels_and_the_plain_text_is_a_toggle_away(opened: Opening) -> None:
    page = opened()
    ask(page)
    finished(page)
    assert listed(page) == {
        "Functional": ["Return the prices above a limit, größte zuerst", "Leave the list that was given as it is"],
        "Non-functional": ["Time grows with n log n"],
        "Constraints": ["A limit below zero is a ValueError"],
        "API calls": ["sorted(prices, reverse=True)"],
        "Classes": ["class Basket(prices)"],
        "Functions": ["def above(prices: list[float], limit: float) -> list[float]"],
    }
    page.get_by_role("button", name="Plain text").click()
    assert page.locator("#plain-text").text_content() == REQUIREMENTS
    expect(page.locator("#sections")).to_be_hidden()
    page.get_by_role("button", name="Plain text").click()
    expect(page.locator("#sections")).to_be_visible()


@pytest.mark.parametrize(
    "text",
    [
        "no tag at all\n\nin two lines",
        "first a line\n<CONSTRAINT> a <CONSTRAINT> b\n<FUNCTIONAL_REQ> c\nand its  second line",
        "<API_CALL>\n<API_CALL> f(x)\n<NO_TAG> g\n<CLASS_DEF>",
        "<CLASS_DEF> A\n<FUNCTION_DEF> f\n<CLASS_DEF> B",
    ],
)
def test_what_is_shown_while_written_is_what_the_server_lists(text: str, answers: Answers, opened: Opening) -> None:
    answers.requirements = text
    answers.hold(after=-(-len(text) // 11))
    page = opened()
    ask(page)
    expect(page.locator("#plain-text")).to_have_text(text)
    before = listed(page)
    answers.let_go()
    finished(page)
    assert listed(page) == before


def test_the_reconstruction_streams_in_beside_the_requirements(answers: Answers, opened: Opening) -> None:
    answers.hold(after=len(REQUIREMENTS) // 11 + 5)
    page = opened()
    ask(page, llm="alder")
    expect(page.locator("#answer")).to_contain_text("Here it is:")
    status(page).to_have_text("Rebuilding with alder…")
    expect(page.locator("#fact-total")).to_have_text("1.23 s")
    answers.let_go()
    finished(page)
    expect(page.locator("#answer")).to_have_text(re.compile("^def above"))
    page.get_by_role("button", name="Whole answer").click()
    expect(page.locator("#answer")).to_contain_text("Here it is:")
    left, right = (page.locator(panel).bounding_box() for panel in ("#requirements-panel", "#program-panel"))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_timings_tokens_version_and_request_are_shown(answers: Answers, opened: Opening) -> None:
    page = opened()
    ask(page, llm="birch")
    finished(page)
    facts = page.locator("#facts dd").all_inner_texts()
    assert facts[:-1] == ["cetd:3", "48", "96", "0.4 ms", "13 ms", "1.23 s", "2.35 s"]
    assert re.fullmatch(r"[0-9a-f]{8}-51ab-4cde-9f01-23456789abcd", facts[-1])


def test_answers_from_the_cache_and_answers_that_were_cut_are_marked(answers: Answers, opened: Opening) -> None:
    answers.cached, answers.finish = True, "length"
    page = opened()
    ask(page)
    finished(page)
    expect(page.locator("#cached")).to_be_visible()
    expect(page.locator("#cut")).to_have_text("token limit reached")
    assert page.locator("#facts dd").all_inner_texts()[3:6] == ["–", "–", "cached"]
    answers.cached, answers.finish = False, "stop"
    ask(page)
    expect(page.locator("#fact-total")).to_have_text("1.23 s")
    expect(page.locator("#cached")).to_be_hidden()
    expect(page.locator("#cut")).to_be_hidden()


def test_only_what_was_chosen_is_asked_for(answers: Answers, opened: Opening) -> None:
    page = opened()
    ask(page)
    finished(page)
    assert answers.asked == [
        ("/v1/requirements", {"source": SOURCE, "options": {"temperature": 0}, "stream": True}),
    ]


def test_options_and_interface_are_sent(answers: Answers, opened: Opening) -> None:
    page = opened()
    page.get_by_text("Options").click()
    expect(page.get_by_label("Signatures, one a line")).to_be_hidden()
    page.get_by_label("Rebuild with").select_option("birch")
    page.get_by_label("Max new tokens").fill("32")
    page.get_by_label("Temperature").fill("0.7")
    page.get_by_label("Signatures, one a line").fill("def f(x)\n\n  class Pair(a, b)\n")
    ask(page, llm="birch")
    finished(page)
    assert answers.asked == [
        (
            "/v1/pipeline",
            {
                "source": SOURCE,
                "options": {"max_new_tokens": 32, "temperature": 0.7},
                "stream": True,
                "llm": "birch",
                "interface": {"module": "solution", "signatures": ["def f(x)", "class Pair(a, b)"]},
            },
        )
    ]


@pytest.mark.parametrize("how", ["button", "key"])
def test_stopping_ends_the_request_on_the_server(how: str, answers: Answers, opened: Opening) -> None:
    answers.hold(after=6)
    page = opened()
    ask(page)
    expect(page.locator("#sections")).to_contain_text("Return the prices")
    if how == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    until(lambda: answers.abandoned == 1)
    status(page).to_have_text("Stopped; what was written so far stays.")
    expect(page.locator("#sections")).to_contain_text("Return the prices")
    answers.let_go()
    ask(page)
    finished(page)
    assert answers.abandoned == 1


def test_asking_again_while_it_writes_is_no_second_request(answers: Answers, opened: Opening) -> None:
    answers.hold(after=4)
    page = opened()
    ask(page)
    expect(page.locator("#sections")).to_contain_text("Return")
    page.keyboard.press("Control+Enter")
    # As a pointer would, which minds no aria-disabled.
    page.get_by_role("button", name="Generate").click(force=True)
    answers.let_go()
    finished(page)
    assert len(answers.asked) == 1
