"""Which cell is tried next: the grid in random order, or what Optuna's TPE proposes.

TPE with ASHA stands for BOHB (Falkner et al. 2018), which is the same pair of a density model and halving: Optuna's
sampler ranks what ended below the last rung by how far it came and then by its loss, so that the largest budget seen
decides first, as BOHB's model of the largest budget does. The study is made again from the losses at every proposal:
nothing of it has to survive a kill.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from cetd.seeds import derive
from cetd.sweeps.cells import Cell, Plan
from cetd.sweeps.ledger import Event
from cetd.sweeps.schedule import Propose, Schedule

# Asked for a cell that was not tried yet; a small grid is soon known, and then any other cell will do.
ASKS = 32
STARTUP = 4  # cells at random before the model says anything


def scheduled(plan: Plan, events: Sequence[Event]) -> Schedule:
    """The schedule of a sweep, where its ledger's events have brought it."""
    config = plan.config
    if config.search == "optuna":
        propose = tpe(plan.possible, plan.steps, config.samples, config.run.seed)
    else:
        propose = grid(plan.possible, config.run.seed)
    schedule = Schedule(len(plan.steps), config.asha.reduction, config.seeds, propose)
    schedule.replay(events)
    return schedule


def grid(cells: Sequence[Cell], seed: int) -> Propose:
    """Every cell once, in an order that the seed decides: ASHA supposes that candidates come at random."""
    order = [cell.name for cell in cells]
    Random(derive("grid", seed)).shuffle(order)
    return lambda history: next((name for name in order if name not in history), None)


def tpe(cells: Sequence[Cell], steps: Sequence[int], samples: int | None, seed: int) -> Propose:
    """``samples`` of the cells, by default half of them, each proposed from the losses of those before it."""
    most = min(samples or math.ceil(len(cells) / 2), len(cells))
    by_name = {cell.name: cell for cell in cells}

    def propose(history: Mapping[str, list[float]]) -> str | None:
        if len(history) >= most:
            return None
        drawn = derive("tpe", seed, len(history))
        tried = {by_name[name]: losses for name, losses in history.items()}
        return _proposed(cells, tried, steps, drawn).name

    return propose


def _proposed(cells: Sequence[Cell], tried: Mapping[Cell, list[float]], steps: Sequence[int], seed: int) -> Cell:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    values = {name: sorted({getattr(cell, name) for cell in cells}) for name in Cell.__dataclass_fields__}
    # Places among the sorted values: the order of the values is kept, their distances are not.
    spaces: dict[str, Any] = {
        name: optuna.distributions.IntDistribution(0, len(held) - 1) for name, held in values.items()
    }
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=STARTUP)
    study = optuna.create_study(sampler=sampler)
    for cell, losses in tried.items():
        params = {name: held.index(getattr(cell, name)) for name, held in values.items()}
        study.add_trial(_observed(params, spaces, losses, steps))
    by_values = {tuple(vars(cell).values()): cell for cell in cells}
    for _ in range(ASKS):
        places = study.ask(spaces).params
        found = by_values.get(tuple(values[name][places[name]] for name in values))
        if found and found not in tried:
            return found
    left = [cell for cell in cells if cell not in tried]
    return left[seed % len(left)]


def _observed(params: dict[str, Any], spaces: dict[str, Any], losses: Sequence[float], steps: Sequence[int]) -> Any:
    """A cell's losses as a trial of Optuna's: complete at the last rung, pruned below it, failed without any."""
    from optuna.trial import TrialState, create_trial

    finite = [loss for loss in losses if math.isfinite(loss)]
    seen = dict(zip(steps, finite, strict=False))
    if len(finite) == len(steps):
        return create_trial(params=params, distributions=spaces, value=finite[-1], intermediate_values=seen)
    state = TrialState.PRUNED if finite else TrialState.FAIL
    return create_trial(params=params, distributions=spaces, state=state, intermediate_values=seen)
