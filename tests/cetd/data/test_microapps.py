import ast
import re

import pytest

from cetd.config import MicroAppsConfig
from cetd.data.microapps import MicroApp, generate, split_of
from cetd.data.steps import REDUCERS, STEPS, Spec, Step, evaluate

EVERYTHING = MicroAppsConfig(train=150, heldout=40, families=("list", "int", "string"), max_steps=4)


def cases(app: MicroApp) -> list[tuple[object, object]]:
    """(input, expected) of each test."""
    found = re.findall(r"assert f\((.*)\) == (.*)", app.tests["test_solution.py"])
    return [(ast.literal_eval(given), ast.literal_eval(expected)) for given, expected in found]


def passes(app: MicroApp, spec: Spec) -> bool:
    return all(evaluate(spec, given) == expected for given, expected in cases(app))


@pytest.fixture(scope="module")
def everything() -> list[MicroApp]:
    apps = generate(EVERYTHING)
    return [*apps.train, *apps.heldout]


def test_the_same_configuration_gives_the_same_apps():
    config = MicroAppsConfig(train=20, heldout=10)
    assert generate(config) == generate(config)


def test_another_seed_gives_other_apps():
    assert (
        generate(MicroAppsConfig(train=20, heldout=1, seed=1)).train
        != generate(MicroAppsConfig(train=20, heldout=1, seed=2)).train
    )


def test_every_source_passes_its_own_tests(everything: list[MicroApp]):
    for app in everything:
        namespace: dict = {}
        exec(app.source["solution.py"], namespace)
        assert len(cases(app)) == EVERYTHING.tests_per_app
        for given, expected in cases(app):
            assert namespace["f"](given) == expected, app.source_text


def test_tests_are_top_level_functions_of_one_assertion(everything: list[MicroApp]):
    body = ast.parse(everything[0].tests["test_solution.py"]).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions] == [f"test_{n}" for n in range(6)]
    assert all(len(function.body) == 1 and isinstance(function.body[0], ast.Assert) for function in functions)


def test_leaving_out_any_step_fails_a_test(everything: list[MicroApp]):
    for app in everything:
        for index in range(len(app.spec.steps)):
            fewer = Spec(app.spec.family, app.spec.steps[:index] + app.spec.steps[index + 1 :], app.spec.reducer)
            assert not passes(app, fewer), app.source_text


def test_a_neighbouring_parameter_fails_a_test(everything: list[MicroApp]):
    for app in everything:
        for index, step in enumerate(app.spec.steps):
            for param in STEPS[app.spec.family][step.kind].params:
                if step.param is not None and abs(param - step.param) == 1:
                    steps = (*app.spec.steps[:index], Step(step.kind, param), *app.spec.steps[index + 1 :])
                    assert not passes(app, Spec(app.spec.family, steps, app.spec.reducer)), app.source_text


def test_results_vary_within_an_app(everything: list[MicroApp]):
    assert all(len({expected for _, expected in cases(app)}) >= 3 for app in everything)


def test_every_kind_of_step_and_reducer_occurs():
    apps = generate(MicroAppsConfig(train=800, heldout=1, families=("list", "int", "string"))).train
    for family in STEPS:
        mine = [app.spec for app in apps if app.spec.family == family]
        assert {step.kind for spec in mine for step in spec.steps} == set(STEPS[family])
        assert {spec.reducer for spec in mine} == set(REDUCERS[family])


def test_heldout_compositions_occur_neither_in_train_nor_in_the_other_heldout_set():
    compositions = {}
    for name in ("validation", "test"):
        # Another generator seed must not bring them back either.
        apps = generate(MicroAppsConfig(train=1000, heldout=128, heldout_set=name, seed=3 if name == "test" else 0))
        compositions[name] = {app.spec.composition for app in apps.heldout}
        compositions[f"train {name}"] = {app.spec.composition for app in apps.train}
    heldout = compositions["validation"] | compositions["test"]
    assert not heldout & (compositions["train validation"] | compositions["train test"])
    assert not compositions["validation"] & compositions["test"]


@pytest.mark.parametrize("name", ["validation", "test"])
def test_heldout_apps_are_distinct_and_some_have_one_step(name):
    apps = generate(MicroAppsConfig(train=1, heldout=128, heldout_set=name)).heldout
    assert len({app.spec for app in apps}) == 128
    assert len({app.app_id for app in apps}) == 128
    assert len({app.spec.composition for app in apps if len(app.spec.steps) == 1}) >= 4


def test_the_order_of_steps_does_not_make_another_composition():
    first, second = Step("add", 2), Step("sort")
    assert split_of(Spec("list", (first, second), "max")) == split_of(Spec("list", (second, first), "max"))


def test_more_heldout_apps_than_exist_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"lower heldout=5000, or raise max_steps=1"):
        generate(MicroAppsConfig(train=1, heldout=5000, max_steps=1))
