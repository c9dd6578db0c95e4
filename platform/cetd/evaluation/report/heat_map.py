"""A heat map as inline SVG: the lower the value, the stronger the colour; every square says its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cetd.evaluation.report.charts import WIDTH, nothing
from cetd.evaluation.report.markup import Html, element

LEFT, TOP, BOTTOM = 52.0, 6.0, 36.0
SQUARE = 52.0
# Opacity of the worst value and of the best.
FAINT, STRONG = 0.06, 0.6


@dataclass(frozen=True)
class Square:
    """``value`` colours it, None leaves it blank; ``lines`` are written in it, ``told`` is its tooltip."""

    value: float | None
    lines: tuple[str, ...]
    told: str = ""


def heat_map(
    title: str, rows: Sequence[str], columns: Sequence[str], squares: Mapping[tuple[str, str], Square], **labels: str
) -> Html:
    """Squares by (row, column) name.

    Args:
        labels: ``down`` and ``across`` name the axes, ``note`` stands below.
    """
    values = [square.value for square in squares.values() if square.value is not None]
    if not squares:
        return element("figure", element("h3", title), nothing(), class_="card")
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    width, height = (WIDTH - LEFT) / len(columns), TOP + SQUARE * len(rows) + BOTTOM
    drawn = [
        _square(squares[row, column], LEFT + x * width, TOP + y * SQUARE, width, low, high)
        for y, row in enumerate(rows)
        for x, column in enumerate(columns)
        if (row, column) in squares
    ]
    floor = TOP + SQUARE * len(rows)
    names = [
        element("text", row, x=LEFT - 8, y=TOP + (y + 0.5) * SQUARE + 4, text_anchor="end")
        for y, row in enumerate(rows)
    ]
    names += [
        element("text", column, x=LEFT + (x + 0.5) * width, y=floor + 15, text_anchor="middle")
        for x, column in enumerate(columns)
    ]
    middle = (TOP + floor) / 2
    names += [
        element("text", labels.get("across", ""), x=(LEFT + WIDTH) / 2, y=height - 4, text_anchor="middle"),
        element(
            "text",
            labels.get("down", ""),
            x=10.0,
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 10 {middle:g})",
        ),
    ]
    picture = element("svg", *drawn, *names, viewBox=f"0 0 {WIDTH:g} {height:g}", role="img", aria_label=title)
    note = labels.get("note", "")
    return element(
        "figure", element("h3", title), picture, element("figcaption", note) if note else None, class_="card"
    )


def _square(square: Square, x: float, y: float, width: float, low: float, high: float) -> Html:
    if square.value is None:
        box = element("rect", x=x, y=y, width=width, height=SQUARE, rx=5.0, class_="blank")
    else:
        share = (high - square.value) / (high - low) if high > low else 1.0
        box = element(
            "rect",
            x=x,
            y=y,
            width=width,
            height=SQUARE,
            rx=5.0,
            class_="heat best" if square.value == low else "heat",
            fill_opacity=FAINT + (STRONG - FAINT) * share,
        )
    first = y + SQUARE / 2 + 4 - 7.5 * (len(square.lines) - 1)
    texts = [
        element(
            "text",
            line,
            x=x + width / 2,
            y=first + 15 * number,
            text_anchor="middle",
            class_="figure" if number == 0 and square.value is not None else None,
        )
        for number, line in enumerate(square.lines)
    ]
    return element("g", element("title", square.told) if square.told else None, box, *texts)
