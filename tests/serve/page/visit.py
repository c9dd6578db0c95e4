"""What a visitor of the page does and sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.serve.serving import SOURCE

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

Opening = Callable[..., Page]


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
