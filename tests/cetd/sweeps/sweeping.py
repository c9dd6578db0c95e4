"""Sweeps without training: losses are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cetd.config import validate
from cetd.config.sweep import SweepJobConfig
from cetd.sweeps.cells import Plan, Segment, plan
from cetd.sweeps.ledger import Event
from cetd.sweeps.proposals import scheduled

TOKENS = {"trial": {"tokens": 64 * 16 * 128, "batch_size": 16}}


def planned(**changes: Any) -> Plan:
    """Twelve cells, rungs after 4, 16 and 64 steps."""
    tree: dict[str, Any] = {"budget": {"total_params": 500_000, "n_heads": 2}, **TOKENS}
    return plan(validate(SweepJobConfig, tree | changes), Path("/data/packed"), vocab_size=2048, length=128)


def loss_of(one: Plan, segment: Segment) -> float:
    """Falls with the rung; the first cell of the grid is the best, and seeds differ a little."""
    place = list(one.cells).index(segment.cell)
    return 5.0 - segment.rung + 0.1 * place + 0.01 * segment.seed


def swept(one: Plan, failing: frozenset[str] = frozenset()) -> list[Event]:
    """The events of a whole sweep with one worker; trials named in ``failing`` fail at their first rung."""
    schedule, events = scheduled(one, []), []
    while segment := schedule.next():
        failed = segment.trial in failing
        before = one.steps[segment.rung - 1] if segment.rung else 0
        ended = Event("ended", segment, loss_of(one, segment), 1.0, one.steps[segment.rung] - before)
        if failed:
            ended = Event("ended", segment, seconds=0.5, steps=1, error="step 1: the loss is nan")
        events += [Event("begun", segment), ended]
        schedule.end(segment, ended.loss)
    assert schedule.finished
    return events
