"""The page at / in a real browser, against an application whose answers each test chooses."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from serve.refusals import RefusedError, late, overloaded, too_large
from tests.serve.page.answers import PAGE, REQUIREMENTS, Answers, app
from tests.serve.serving import PATIENCE_S, SOURCE, until

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
READABLE = 4.5  # WCAG 2.2, AA: contrast of text
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


Opening = Callable[..., Page]


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


def ask(page: Page, llm: str = "") -> None:
    page.get_by_label("Code", exact=True).fill(SOURCE)
    if llm:
        page.get_by_label("Rebuild with").select_option(llm)
    page.get_by_role("button", name="Generate").click()


def status(page: Page) -> Any:
    return expect(page.locator("#status"))


def finished(page: Page) -> None:
    status(page).to_contain_text("Done")


def listed(page: Page) -> dict[str, list[str]]:
    """Requirements as they are shown: by the heading of their section."""
    return page.locator("#sections").evaluate(
        """sections => Object.fromEntries([...sections.children].map(
            section => [section.querySelector("h4").textContent,
                        [...section.querySelectorAll("li")].map(item => item.textContent)]))"""
    )


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


def test_files_are_chosen_dropped_and_removed(answers: Answers, opened: Opening) -> None:
    page = opened()
    page.locator("#chooser").set_input_files(
        [{"name": name, "mimeType": "text/x-python", "buffer": b"x = 1\n"} for name in ("a.py", "b.py")]
    )
    expect(page.locator("#files li")).to_have_count(2)
    drop(page, "c.py", "größe = 2\n")
    expect(page.locator("#files li")).to_have_count(3)
    expect(page.get_by_label("Code", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Remove a.py").click()
    expect(page.get_by_role("button", name="Remove b.py")).to_be_focused()
    page.get_by_role("button", name="Generate").click()
    finished(page)
    ((_, body),) = answers.asked
    assert body == {
        "files": {"b.py": "x = 1\n", "c.py": "größe = 2\n"},
        "options": {"temperature": 0},
        "stream": True,
    }
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_label("Code", exact=True)).to_be_focused()


def drop(page: Page, name: str, text: str) -> None:
    transfer = page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], name));
            return transfer;
        }""",
        [name, text],
    )
    page.dispatch_event("#code", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#well")).to_have_class("dropping")
    page.dispatch_event("#code", "drop", {"dataTransfer": transfer})
    expect(page.locator("#well")).not_to_have_class("dropping")


def test_a_file_that_is_no_text_is_refused_by_name(opened: Opening) -> None:
    page = opened()
    page.locator("#chooser").set_input_files([{"name": "logo.png", "mimeType": "image/png", "buffer": b"\x89PNG\xff"}])
    expect(page.get_by_role("alert")).to_contain_text("Logo.png: a folder, too large, or not text in UTF-8")
    expect(page.locator("#files li")).to_have_count(0)


def test_what_is_said_stays_text(answers: Answers, opened: Opening) -> None:
    hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    answers.requirements = f"<FUNCTIONAL_REQ> {hostile}\n<API_CALL> </li></ul>{hostile}"
    answers.answer = f"{hostile}\n```python\nx = '{hostile}'\n```"
    answers.llms = (hostile,)
    page = opened(422)
    page.locator("#chooser").set_input_files([{"name": hostile, "mimeType": "text/plain", "buffer": b"x = 1"}])
    page.get_by_label("Rebuild with").select_option(hostile)
    page.get_by_role("button", name="Generate").click()
    finished(page)
    assert listed(page) == {"Functional": [hostile], "API calls": [f"</li></ul>{hostile}"]}
    expect(page.locator("#answer")).to_have_text(f"x = '{hostile}'")
    answers.refusal = RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field", hostile)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_have_text(f"{hostile}.")
    assert page.locator("main img, main script").count() == 0
    assert page.title() == "CET-D: requirements of code"


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
