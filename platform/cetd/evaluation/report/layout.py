"""The blocks that pages are made of; ``style.css`` knows their classes."""

from __future__ import annotations

from cetd.evaluation.report.markup import Html, element


def section(title: str, *content: Html) -> Html:
    return element("section", element("h2", title), *content)


def cards(*content: Html | None, small: bool = False) -> Html:
    return element("div", *content, class_="cards small" if small else "cards")


def tile(name: str, value: str, note: str) -> Html:
    return element("div", element("span", name), element("b", value), element("small", note), class_="tile")
