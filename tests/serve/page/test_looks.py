"""Keyboard, contrast, small screens, motion, and markup."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from serve.refusals import RefusedError
from tests.serve.page.answers import PAGE, REQUIREMENTS, Answers
from tests.serve.page.visit import NARROW, WIDE, Opening, ask, drop, finished
from tests.serve.serving import SOURCE, until

READABLE = 4.5  # WCAG 2.2, AA: contrast of text


def test_all_of_it_works_by_keyboard_alone(answers: Answers, opened: Opening) -> None:
    answers.hold(after=6)
    page = opened()
    expect(page.locator("#llm option")).to_have_count(3)

    def tab_to(name: str) -> None:
        page.keyboard.press("Tab")
        expect(page.locator(name)).to_be_focused()
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(outline.removesuffix("px")) >= 2, f"{name}: the focus is not to be seen"

    tab_to(".skip")
    assert page.locator(".skip").bounding_box()["width"] > 50  # type: ignore[index]
    tab_to("#choose")
    tab_to("#code")
    page.keyboard.insert_text(SOURCE)
    tab_to("#llm")
    page.keyboard.type("birch")
    tab_to("#generate")
    page.keyboard.press("Enter")
    expect(page.locator("#sections")).to_contain_text("Return the prices")
    expect(page.locator("#generate")).to_be_focused()
    tab_to("#stop")
    page.keyboard.press("Enter")
    until(lambda: answers.abandoned == 1)
    expect(page.locator("#stop")).to_be_focused()
    tab_to("#options summary")
    page.keyboard.press("Enter")
    for name in ("#max-new-tokens", "#temperature", "#module", "#signatures"):
        tab_to(name)
    page.keyboard.insert_text("def f(x)")
    answers.let_go()
    page.keyboard.press("Control+Enter")
    finished(page)
    for name in ("#plain", "#copy-requirements", "#requirements", "#whole", "#copy-program", "#program", "#good"):
        tab_to(name)
    page.keyboard.press("Space")
    tab_to("#poor")
    tab_to("#comment")
    tab_to("#send")
    page.keyboard.press("Enter")
    expect(page.locator("#thanks")).to_have_text("Thank you: your verdict is kept.")
    assert [path for path, _ in answers.asked] == ["/v1/pipeline", "/v1/pipeline", "/v1/feedback"]
    assert answers.asked[2][1]["rating"] == 5
    # And back to the top, past everything else, for the skip link's sake.
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#plain")).to_be_focused()


# Of every element that shows text of its own: the text, and its contrast with what is painted behind it.
CONTRASTS = """() => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = color => {
    const [r, g, b] = channels(color).map(channel => linear(channel / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      const alpha = channels(color)[3] ?? 1;
      if (alpha === 1) return color;
      if (alpha > 0) throw new Error(`half transparent: ${at.id}`);
    }
    throw new Error("nothing is painted");
  };
  const found = [];
  const add = (text, color, element) => {
    const [light, dark] = [luminance(color), luminance(behind(element))].sort((a, b) => b - a);
    found.push([text, (light + 0.05) / (dark + 0.05)]);
  };
  for (const element of document.querySelectorAll("body, body *")) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const own = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (own.length) add(own[0].data.trim(), getComputedStyle(element).color, element);
    if (element.placeholder) add(element.placeholder, getComputedStyle(element, "::placeholder").color, element);
    if (element.value && element.tagName !== "OPTION") add(element.value, getComputedStyle(element).color, element);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_is_readable(scheme: Any, answers: Answers, opened: Opening) -> None:
    page = opened(401, 422, color_scheme=scheme)
    page.get_by_label("Rebuild with").select_option("alder")
    page.get_by_text("Options").click()
    answers.cached, answers.finish = True, "length"
    ask(page, llm="alder")
    finished(page)
    shown = page.evaluate(CONTRASTS)
    answers.refusal = RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field", "llm: no", "llm")
    ask(page)
    expect(page.get_by_role("alert")).to_have_text("Llm: no.")
    shown += page.evaluate(CONTRASTS)
    answers.key = "cetd-right"
    ask(page)
    expect(page.get_by_label("API key")).to_be_visible()
    drop(page, "c.py", "x = 1\n")
    expect(page.locator("#files li")).to_have_count(1)
    shown += page.evaluate(CONTRASTS)
    texts = {text for text, _ in shown}
    assert {"Functional", "cached", "token limit reached", "alder", "Llm: no.", "cetd-…", "c.py", "Generate"} <= texts
    assert {text: contrast for text, contrast in shown if contrast < READABLE} == {}


def test_light_and_dark_differ(opened: Opening) -> None:
    painted = {
        scheme: opened(color_scheme=scheme).evaluate(
            "['body', '.card', '#code', '.primary'].map(name => getComputedStyle(document.querySelector(name)))"
            ".flatMap(style => [style.color, style.backgroundColor])"
        )
        for scheme in ("light", "dark")
    }
    assert all(light != dark for light, dark in zip(painted["light"], painted["dark"], strict=True))


def test_the_smallest_screen_has_nothing_beyond_its_edge(answers: Answers, opened: Opening) -> None:
    long = "word" * 80
    answers.requirements = f"<FUNCTIONAL_REQ> {long}\n<API_CALL> {long}()"
    answers.answer = f"x = '{long}'\n"
    answers.llms = (long,)
    page = opened(422, 401, viewport=NARROW)
    page.get_by_text("Options").click()
    page.locator("#chooser").set_input_files([{"name": f"{long}.py", "mimeType": "text/plain", "buffer": b"x = 1"}])
    page.get_by_label("Rebuild with").select_option(long)
    page.get_by_role("button", name="Generate").click()
    finished(page)
    assert beyond(page) == 0
    answers.refusal = RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field", long)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("Word")
    assert beyond(page) == 0
    answers.key = "cetd-right"
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert beyond(page) == 0


def beyond(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_moves_while_it_streams(viewport: Any, answers: Answers, opened: Opening) -> None:
    answers.requirements = "".join(line * 8 for line in REQUIREMENTS.splitlines(keepends=True))
    answers.answer = "x = 1\n" * 60
    page = opened(viewport=viewport)
    page.get_by_label("Rebuild with").select_option("alder")
    answers.hold(after=2)
    ask(page, llm="alder")
    expect(page.locator("#sections")).to_contain_text("Retu")
    page.evaluate(
        """() => {
            window.moved = 0;
            new PerformanceObserver(list => { for (const entry of list.getEntries()) moved += entry.value; })
                .observe({ type: "layout-shift" });
        }"""
    )
    answers.let_go()
    finished(page)
    assert moved(page) == 0
    # The newest lines are in sight all the same.
    assert page.evaluate("document.querySelector('#program').scrollTop") > 0
    # And it would have been noticed.
    page.evaluate("document.querySelector('#facts').append(document.createElement('hr'), 'more')")
    assert moved(page) > 0


def moved(page: Page) -> float:
    """The sum of all layout shifts, of which an observer is told after the frame that it is about."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )
    return page.evaluate("moved")


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "breathe")])
def test_less_motion_is_respected(motion: Any, animation: str, answers: Answers, opened: Opening) -> None:
    answers.hold(after=2)
    page = opened(reduced_motion=motion)
    ask(page)
    expect(page.locator("#requirements-panel")).to_have_attribute("aria-busy", "true")
    shown = "getComputedStyle(document.querySelector('#requirements-panel h3'), '::after').animationName"
    assert page.evaluate(shown) == animation


def test_every_control_has_a_name(opened: Opening) -> None:
    page = opened()
    page.get_by_text("Options").click()
    page.get_by_label("Rebuild with").select_option("alder")
    ask(page, llm="alder")
    finished(page)
    for control in page.locator("button:visible, input:visible, select:visible, textarea:visible").all():
        expect(control).to_have_accessible_name(re.compile(r"\w"))


def test_the_page_has_no_markup_that_its_policy_forbids() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?:", html)
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|https?://", script)
    assert sorted(path.name for path in Path(PAGE).iterdir()) == ["icon.svg", "index.html", "page.css", "page.js"]
