"""Cells, their shapes, and the training job of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cetd.config import ConfigError
from cetd.config.loading import load
from cetd.config.sweep import SweepJobConfig
from cetd.config.train import TrainJobConfig
from cetd.sweeps.cells import Segment, SweepError, plan
from cetd.sweeps.winner import command, overrides
from tests.cetd.sweeps.sweeping import planned

PRESETS = Path(__file__).parents[3] / "configs" / "sweep"


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_preset_loads_and_its_cells_have_shapes_on_the_vocabulary_it_is_for(path: Path) -> None:
    config = load(SweepJobConfig, path)
    vocabulary = 2048 if config.data.packed.parts[1] == "stdlib-small" else 8192
    made = plan(config, Path("packed"), vocabulary, config.data.row_length or 1024)
    assert len(made.possible) == len(made.cells)
    shapes = [shape for shape in made.shapes.values() if shape]
    assert len({(shape.d_model, shape.d_ff, shape.n_layers) for shape in shapes}) == len(shapes)


def test_every_cell_spends_the_budget_as_asked() -> None:
    plan = planned()
    assert len(plan.cells) == len(plan.possible) == 12
    for name, cell in plan.cells.items():
        shape = plan.shapes[name]
        assert shape
        assert shape.total == pytest.approx(500_000, rel=0.005)
        assert shape.embedding_ratio == pytest.approx(cell.embedding_ratio, rel=0.25)
        assert shape.asked.vocab_size == 2048


def test_a_cell_without_a_solution_has_no_shape_and_is_no_crash() -> None:
    plan = planned(space={"embedding_ratio": [0.35, 0.98], "tied_lm_head": [True, False]})
    without = {cell.embedding_ratio for name, cell in plan.cells.items() if plan.shapes[name] is None}
    assert without == {0.98}
    assert {cell.name for cell in plan.possible} == {name for name in plan.cells if plan.shapes[name]}


def test_trials_of_a_seed_differ_in_their_model_alone_and_seeds_in_theirs() -> None:
    plan = planned()
    first, second = list(plan.cells)[:2]
    jobs = [plan.job(Segment(*one)) for one in ((first, 0, 2), (second, 0, 2), (first, 1, 2))]
    same = jobs[0].model_copy(update={"model": jobs[1].model, "run": jobs[1].run})
    assert same == jobs[1]
    assert jobs[0].run.seed == jobs[1].run.seed != jobs[2].run.seed
    assert jobs[0].max_steps == 64


def test_rungs_are_pauses_of_one_run_over_the_whole_budget() -> None:
    plan = planned()
    assert plan.steps == (4, 16, 64)
    assert [plan.tokens(rung) for rung in range(3)] == [4 * 2048, 16 * 2048, 64 * 2048]
    jobs = [plan.job(Segment(next(iter(plan.cells)), 0, rung)) for rung in range(3)]
    assert [job.pause_at for job in jobs] == [4, 16, 64]
    assert {job.max_steps for job in jobs} == {64}, "so that the learning rate is that of the full budget"
    assert planned(scheduler="none").steps == (64,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": {"total_params": 2000}}, "space: none of the 12 cells has a shape of budget.total_params=2000"),
        ({"trial": {"tokens": 9000, "batch_size": 16}}, "5 steps of 2048 tokens are too few for asha.rungs=3 at "),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SweepError, match=said):
        planned(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": {"tied_lm_head": [True, True]}}, r"space: tied_lm_head=\[True, True\]: a value stands there twice"),
        ({"trial": {"workers": 3, "tensor": 2}}, r"trial.workers=3: trial.tensor=2 does not divide it"),
        ({"trial": {"workers": 3}}, r"trial.batch_size=16 does not divide among 3 replicas; use 18"),
        ({"samples": 3}, r"samples=3: search=grid tries all cells"),
    ],
)
def test_fields_that_do_not_agree_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        planned(**changes)


def test_the_winners_command_makes_the_trials_job_without_its_pause() -> None:
    plan = planned(data={"row_length": 128}, trial={"tokens": 64 * 2048, "optimizer": {"learning_rate": 1e-5}})
    job = plan.job(Segment(list(plan.cells)[5], 1, 0))
    again = load(TrainJobConfig, overrides=overrides(job))
    assert again.model_copy(update={"run": job.run, "pause_at": job.pause_at}) == job
    assert again.run.seed == job.run.seed
    assert command(job, "mine").endswith(" run.name=mine")
    assert "pause_at" not in command(job, "mine")
