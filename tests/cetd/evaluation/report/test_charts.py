import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.evaluation.report.charts import HEIGHT, WIDTH, Series, bar, bubble_chart, line_chart, percent
from tests.cetd.evaluation.report.pages import Page

VALUES = st.lists(st.none() | st.floats(-1e12, 1e12), max_size=40)


def chart(values, **options):
    return Page(line_chart("Loss", [Series("loss", "--s1", list(enumerate(values)))], **options))


def coordinates(page):
    values = [float(value) for name, value in page.attributes if name in ("cx", "cy", "x1", "y1", "x2", "y2")]
    paths = [value for name, value in page.attributes if name == "d"]
    return values + [float(number) for path in paths for number in re.findall(r"[-\d.]+", path)]


@given(VALUES)
def test_everything_is_drawn_within_the_picture(values):
    page = chart(values)
    assert all(-0.1 <= at <= max(WIDTH, HEIGHT) + 0.1 for at in coordinates(page))
    present = sum(value is not None for value in values)
    assert page.tags.count("circle") == present
    assert ("Nothing recorded yet." in page.text) == (present == 0)


@pytest.mark.parametrize("values", [[5e-5], [0.0, 0.0], [1e-14, 2e-14], [1e9, 1e9 + 1], [-3.0, -3.0], [5e-324]])
def test_flat_and_tiny_ranges_have_axes(values):
    assert len(chart(values).tags) > 10


def test_points_carry_their_values():
    assert "loss, 1: 25.0%" in chart([0.5, 0.25], form=percent).text


def test_noisy_lines_get_a_moving_mean_and_exact_ones_do_not():
    points = [(float(i), float(i % 2)) for i in range(60)]
    assert Page(line_chart("a", [Series("a", "--s1", points)])).tags.count("path") == 2
    assert Page(line_chart("a", [Series("a", "--s1", points, smooth=False)])).tags.count("path") == 1


def test_long_runs_are_thinned():
    assert chart([0.5] * 100_000).tags.count("circle") <= 240


def test_legend_names_each_colour_once():
    points = [(0.0, 1.0)]
    series = [
        Series("small", "--s1", points),
        Series("large", "--s2", points),
        Series("held", "--s1", points, marks=True),
    ]
    page = Page(line_chart("Rates", series))
    assert page.text.startswith("Ratessmalllarge")


def test_pairs_in_one_place_become_one_bubble():
    page = Page(bubble_chart("Apps", [(0.0, 1.0, "a"), (0.001, 1.0, "b"), (0.5, 0.25, "<c>")]))
    assert page.tags.count("circle") == 2
    assert "0.00 → 1.00: 2 apps (a, b)" in page.text
    assert "0.50 → 0.25: 1 app (<c>)" in page.text


def test_bar_is_never_wider_than_its_track():
    assert ("style", "width: 100.0%") in Page(bar("test", "120%", 1.2)).attributes
