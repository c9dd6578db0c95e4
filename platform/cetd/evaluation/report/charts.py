"""Charts as inline SVG: text is text, colours are the page's variables (so dark mode reaches them), no scripts.

Each chart is a ``figure`` with a title, a legend where there is more than one series, and a line that says what is
drawn. Points carry their values as tooltips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cetd.evaluation.report.markup import Html, element, join

WIDTH, HEIGHT = 420.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 10.0, 34.0
INSET = 8.0
MOST_POINTS = 240
FEW = 12

Point = tuple[float, float | None]
Format = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """Points of one name; ``colour`` is a CSS variable.

    ``marks``: single big points instead of a line. ``smooth``: the values are noisy, so show their moving mean too.
    """

    name: str
    colour: str
    points: Sequence[Point]
    marks: bool = False
    smooth: bool = True


def percent(value: float) -> str:
    return f"{value:.0%}"


def number(value: float) -> str:
    return f"{value:.4g}"


def line_chart(
    title: str,
    series: Sequence[Series],
    note: str = "",
    form: Format = number,
    bounds: tuple[float, float] | None = None,
    across: str = "policy updates",
) -> Html:
    """Values over iterations, or over what ``across`` names.

    Of noisy ones the moving mean is the thick line, the values themselves a thin one.
    ``bounds`` are values that the vertical axis shows in any case, by default 0.
    """
    series = [replace(one, points=_thinned(one.points)) for one in series]
    present = [(x, y) for one in series for x, y in one.points if y is not None]
    if not present:
        return _figure(title, [], nothing())
    axes = Axes.around([x for x, _ in present], [*(y for _, y in present), *(bounds or (0.0,))], form)
    lines = [_marks(one, axes) if one.marks else _line(one, axes) for one in series]
    return _figure(title, series, _svg(title, axes.drawn(across), *lines), note)


def bubble_chart(title: str, pairs: Sequence[tuple[float, float, str]], note: str = "") -> Html:
    """(before, after, name) as a square of bubbles; a bubble's area is the number of pairs in its place."""
    if not pairs:
        return _figure(title, [], nothing())
    places: dict[tuple[float, float], list[str]] = {}
    for before, after, name in pairs:
        places.setdefault((round(before, 2), round(after, 2)), []).append(name)
    values = [value for before, after, _ in pairs for value in (before, after)]
    axes = Axes.around([*values, 0.0, 1.0], [*values, 0.0, 1.0], number)
    low, high = max(axes.x.low, axes.y.low), min(axes.x.high, axes.y.high)
    diagonal = element(
        "line", x1=axes.x.at(low), y1=axes.y.at(low), x2=axes.x.at(high), y2=axes.y.at(high), class_="diagonal"
    )
    bubbles = [_bubble(place, names, axes) for place, names in sorted(places.items(), key=lambda item: -len(item[1]))]
    return _figure(title, [], _svg(title, axes.drawn("before", "after"), diagonal, *bubbles), note)


def legend(series: Sequence[Series]) -> Html:
    """Names with their colours; of series that share one, the first."""
    first: dict[str, Series] = {}
    for one in series:
        first.setdefault(one.colour, one)
    shapes = ["ring" if one.marks else "dot" for one in first.values()]
    keys = [element("i", class_=shape, style=f"--c: var({key})") for shape, key in zip(shapes, first, strict=True)]
    named = [element("span", key, one.name) for key, one in zip(keys, first.values(), strict=True)]
    return element("div", *named, class_="legend")


@dataclass(frozen=True)
class Scale:
    """Maps values to a stretch of the picture."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(frozen=True)
class Axes:
    """Both scales of a chart, and how the vertical one is written."""

    x: Scale
    y: Scale
    form: Format

    @staticmethod
    def around(xs: Sequence[float], ys: Sequence[float], form: Format) -> Axes:
        bottom, top = _widened(min(ys), max(ys))
        rows = _ticks(bottom, top, 4)
        left, right = _widened(min(xs), max(xs))
        columns = [tick for tick in _ticks(left, right, 5) if left <= tick <= right]
        return Axes(
            Scale(left, right, LEFT + INSET, WIDTH - RIGHT, tuple(columns)),
            Scale(rows[0], rows[-1], HEIGHT - BOTTOM, TOP, tuple(rows)),
            form,
        )

    def drawn(self, x_label: str, y_label: str = "") -> Html:
        floor = HEIGHT - BOTTOM
        rows = [
            join(
                [
                    element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=self.y.at(v), y2=self.y.at(v), class_="grid"),
                    element("text", self.form(v), x=LEFT - 6, y=self.y.at(v) + 4, text_anchor="end"),
                ]
            )
            for v in self.y.ticks
        ]
        columns = [element("text", number(v), x=self.x.at(v), y=floor + 15, text_anchor="middle") for v in self.x.ticks]
        labels = [element("text", x_label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 4, text_anchor="middle")]
        if y_label:
            middle = (TOP + floor) / 2
            turned = f"rotate(-90 10 {middle:g})"
            labels.append(element("text", y_label, x=10.0, y=middle, text_anchor="middle", transform=turned))
        return join([*rows, *columns, *labels])


def _line(one: Series, axes: Axes) -> Html:
    points = [(x, y) for x, y in one.points if y is not None]
    means = _moving_means([y for _, y in points]) if one.smooth else [y for _, y in points]
    smooth = [(x, y) for (x, _), y in zip(points, means, strict=True)]
    hits = [
        element(
            "circle",
            element("title", f"{one.name}, {number(x)}: {axes.form(y) if axes.form is number else f'{y:.1%}'}"),
            cx=axes.x.at(x),
            cy=axes.y.at(y),
            r=6.0,
            class_="hit",
        )
        for x, y in points
    ]
    faint = element("path", d=_path(points, axes), class_="raw") if one.smooth and len(points) > FEW else None
    return element(
        "g", faint, element("path", d=_path(smooth, axes), class_="mean"), *hits, style=f"--c: var({one.colour})"
    )


def _marks(one: Series, axes: Axes) -> Html:
    dots = [
        element(
            "circle",
            element("title", f"{one.name}, {number(x)}: {number(y)}"),
            cx=axes.x.at(x),
            cy=axes.y.at(y),
            r=5.0,
            class_="mark",
        )
        for x, y in one.points
        if y is not None
    ]
    return element("g", *dots, style=f"--c: var({one.colour})")


def _bubble(place: tuple[float, float], names: list[str], axes: Axes) -> Html:
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    label = f"{place[0]:.2f} → {place[1]:.2f}: {len(names)} app{'s' * (len(names) > 1)} ({shown})"
    side = "better" if place[1] > place[0] else "worse" if place[1] < place[0] else "same"
    return element(
        "circle",
        element("title", label),
        cx=axes.x.at(place[0]),
        cy=axes.y.at(place[1]),
        r=4.0 * math.sqrt(len(names)),
        class_=f"bubble {side}",
    )


def nothing() -> Html:
    """What stands where there is nothing to draw."""
    return element("p", "Nothing recorded yet.", class_="empty")


def _figure(title: str, series: Sequence[Series], body: Html, note: str = "") -> Html:
    keys = legend(series) if len(series) > 1 else None
    caption = element("figcaption", note) if note else None
    return element("figure", element("h3", title), keys, body, caption, class_="card")


def _svg(title: str, *content: Html) -> Html:
    return element("svg", *content, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=title)


def _path(points: Sequence[tuple[float, float]], axes: Axes) -> str:
    return "M" + "L".join(f"{axes.x.at(x):.1f},{axes.y.at(y):.1f}" for x, y in points)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most :data:`MOST_POINTS` points: means of neighbours."""
    size = math.ceil(len(points) / MOST_POINTS) or 1
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[0][0], _mean([y for _, y in part if y is not None])) for part in parts]


def _moving_means(values: Sequence[float]) -> list[float]:
    """Centred means over about a tenth of the values; the values themselves where they are few."""
    reach = len(values) // 20 if len(values) > FEW else 0
    return [_mean(values[max(0, i - reach) : i + reach + 1]) or 0.0 for i in range(len(values))]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _widened(low: float, high: float) -> tuple[float, float]:
    """A stretch that can be divided: around values that are all alike, one wide."""
    if high - low > max(1e-9 * max(abs(low), abs(high)), 1e-30):
        return low, high
    return low - 0.5 * (low != 0), low + 1.0


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers that span ``low`` to ``high`` in about ``count`` steps of 1, 2, 2.5 or 5 times 10^k."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = 3 - math.floor(math.log10(step))
    return [round(i * step, digits) for i in range(first, last + 1)]


def bar(name: str, value: str, share: float, strong: bool = False) -> Html:
    """One labelled horizontal bar; ``share`` of the full width."""
    fill = element("b", style=f"width: {100 * min(1.0, max(0.0, share)):.1f}%")
    return element(
        "div",
        element("span", name),
        element("span", fill, class_="track"),
        element("span", value, class_="value"),
        class_="bar strong" if strong else "bar",
    )
