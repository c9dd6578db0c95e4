"""Which cell is tried next."""

from __future__ import annotations

from cetd.sweeps.proposals import grid, tpe
from tests.cetd.sweeps.sweeping import planned, swept

PLAN = planned()
CELLS = PLAN.possible


def test_the_grid_is_tried_whole_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int) -> list[str]:
        tried: dict[str, list[float]] = {}
        propose = grid(CELLS, seed)
        while cell := propose(tried):
            tried[cell] = []
        return list(tried)

    assert sorted(order(0)) == sorted(PLAN.cells)
    assert order(0) == order(0) != order(1)


def proposed(samples: int | None, seed: int = 0) -> list[str]:
    tried: dict[str, list[float]] = {}
    propose = tpe(CELLS, PLAN.steps, samples, seed)
    while cell := propose(tried):
        assert cell not in tried
        tried[cell] = [5.0 - 0.1 * list(PLAN.cells).index(cell)]
    return list(tried)


def test_optuna_proposes_as_many_cells_as_asked_each_once_and_the_same_again() -> None:
    assert len(proposed(None)) == 6
    assert len(proposed(99)) == 12
    assert proposed(5) == proposed(5)


def test_optuna_learns_from_the_losses_where_to_look() -> None:
    plan = planned(
        space={"embedding_ratio": [0.2, 0.25, 0.3, 0.35, 0.4, 0.45], "glu_expansion": [2, 2.5, 3, 3.5, 4, 5]}
    )
    hits = 0
    for seed in range(6):
        tried: dict[str, list[float]] = {}
        propose = tpe(plan.possible, plan.steps, 18, seed)
        while name := propose(tried):
            cell = plan.cells[name]
            tried[name] = [10 * abs(cell.embedding_ratio - 0.4) + abs(cell.glu_expansion - 3)]
        late = [plan.cells[name] for name in list(tried)[4:]]
        hits += sum(abs(cell.embedding_ratio - 0.4) <= 0.051 for cell in late) / len(late) > 0.5
    assert hits >= 4, "at random, half of the cells would be near in one sweep of two"


def test_a_sweep_by_optuna_ends_with_a_cell_at_the_last_rung() -> None:
    plan = planned(search="optuna", samples=5)
    ended = [event.segment for event in swept(plan) if event.kind == "ended"]
    assert len({one.cell for one in ended}) == 5
    assert max(one.rung for one in ended) == 2
