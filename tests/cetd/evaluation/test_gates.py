"""The gates between phases, their boundaries included."""

from __future__ import annotations

from typing import Any

import pytest

from cetd.evaluation.gates import Decision, gate_after, gate_pass_rate


def summary(*after: float | None) -> dict[str, Any]:
    return {"pass_rate": {f"llm-{index}": {"before": 0.1, "after": rate} for index, rate in enumerate(after)}}


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize(
    ("pass_rate", "decision"),
    [
        (0.0, "fix the data"),
        (0.4999, "fix the data"),
        (0.5, "gather more data"),
        (0.55, "gather more data"),
        (0.6, "gather more data"),
        (0.6001, "scale to 3B"),
        (1.0, "scale to 3B"),
    ],
)
def test_the_gate_after_phases_1_and_2(phase: int, pass_rate: float, decision: str) -> None:
    assert gate_after(phase).decide(pass_rate) == decision


@pytest.mark.parametrize(
    ("pass_rate", "decision"),
    [
        (0.0, "stay"),
        (0.6499, "stay"),
        (0.65, "scaling to 5B is optional"),
        (0.7, "scaling to 5B is optional"),
        (0.7001, "scale to 5B"),
        (1.0, "scale to 5B"),
    ],
)
def test_the_gate_after_phase_3(pass_rate: float, decision: str) -> None:
    assert gate_after(3).decide(pass_rate) == decision


def test_a_mean_on_a_boundary_is_not_pushed_over_it_by_rounding() -> None:
    figure = gate_pass_rate(summary(0.55, 0.65))
    assert figure > 0.6
    assert gate_after(1).decide(figure) is Decision.GATHER_MORE_DATA


@pytest.mark.parametrize("phase", [0, 4, -1])
def test_no_gate_follows_another_phase(phase: int) -> None:
    with pytest.raises(ValueError, match=f"phase={phase}: no gate follows it; gates follow phases 1, 2, 3"):
        gate_after(phase)


def test_the_figure_is_the_mean_over_llms_after_the_run() -> None:
    assert gate_pass_rate(summary(0.2, 0.4, 0.9)) == pytest.approx(0.5)


def test_an_llm_without_a_figure_leaves_the_mean() -> None:
    assert gate_pass_rate(summary(0.2, None, 0.4)) == pytest.approx(0.3)


@pytest.mark.parametrize("rates", [(), (None, None)])
def test_no_figure_at_all_is_refused(rates: tuple[None, ...]) -> None:
    with pytest.raises(ValueError, match="pass_rate: no LLM has a figure after the run"):
        gate_pass_rate(summary(*rates))


@pytest.mark.parametrize(
    "damaged", [{}, {"pass_rate": 0.7}, {"pass_rate": {"oak": 0.7}}, {"pass_rate": {"oak": {"before": 0.1}}}]
)
def test_a_summary_of_another_shape_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pass_rate: expected \{LLM: \{before, after\}\} in the summary"):
        gate_pass_rate(damaged)
