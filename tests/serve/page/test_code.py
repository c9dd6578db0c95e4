"""The code that a visitor gives: typed, chosen, dropped."""

from __future__ import annotations

from http import HTTPStatus

from playwright.sync_api import expect

from serve.refusals import RefusedError
from tests.serve.page.answers import Answers
from tests.serve.page.visit import Opening, drop, finished, listed


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
