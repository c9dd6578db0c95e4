from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cetd.config import ConfigError, RecipeConfig, SandboxConfig, load
from cetd.data.folder_apps import load_app, load_folder
from cetd.data.recorded.making import Dropped, Made, Progress, RecipeError, make
from cetd.data.recorded.recording import Test
from cetd.data.recorded.writing import text_of_tests
from cetd.sandbox.outcome import Scored
from cetd.sandbox.sandbox import Sandbox

RECIPES = Path(__file__).parents[4] / "configs" / "apps"
CONFIG = RecipeConfig(package="colorsys", inputs=100, max_tests=8, max_mutants=8, min_mutation_score=0.7)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig()) as sandbox:
        yield sandbox


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.sandbox
def test_a_package_becomes_apps_that_hold_their_originals(sandbox: Sandbox, tmp_path: Path):
    progress: list[Progress] = []
    results = make(CONFIG, tmp_path / "apps", sandbox, progress.append)
    made = [each for each in results if isinstance(each, Made)]
    assert {each.app_id for each in made} >= {"colorsys.rgb_to_hsv", "colorsys.rgb_to_yiq"}
    assert all(each.figures.score >= CONFIG.min_mutation_score for each in made)
    assert {each.stage for each in progress} == {"recording", "judging"}
    apps = load_folder(tmp_path / "apps")
    assert [app.app_id for app in apps] == sorted(each.app_id for each in made)
    for app in apps:
        outcome = sandbox.run(app.source, app.tests, app.timeout_s)
        assert isinstance(outcome, Scored)
        assert outcome.passed == outcome.total >= CONFIG.min_tests

    # Another time, from the same seed: the same bytes; and what is there is kept.
    make(CONFIG, tmp_path / "again", sandbox, progress.append)
    assert texts(tmp_path / "again") == texts(tmp_path / "apps")
    broken = tmp_path / "apps" / apps[0].app_id
    (broken / "test_solution.py").unlink()
    kept = make(CONFIG, tmp_path / "apps", sandbox, progress.append)
    assert {each.app_id for each in kept if isinstance(each, Made) and not each.kept} == {apps[0].app_id}
    assert texts(tmp_path / "again") == texts(tmp_path / "apps")

    with pytest.raises(RecipeError, match="made with another configuration"):
        make(CONFIG.model_copy(update={"seed": 1}), tmp_path / "apps", sandbox, progress.append)


WRITTEN = '''
def sign(x):
    """
    >>> sign(-2)
    -1
    """
    if x > 0:
        return 1
    return -1 if x < 0 else 0

def clamp(x, low=0, high=9):
    if low > high:
        raise ValueError(low)
    return max(low, min(x - 0, high)) + 0

def shout(x):
    print(x)
'''


def recipe(**changes: object) -> RecipeConfig:
    splits = {name: {"modules": [f"written_{name}"], "apps": 1} for name in ("train", "validation", "heldout")}
    small = {"inputs": 100, "max_tests": 6, "min_mutation_score": 0.5}
    return RecipeConfig.model_validate(splits | small | changes)


@pytest.mark.sandbox
def test_a_recipe_fills_its_splits_with_the_best_covered_functions(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("train", "validation", "heldout"):
        (tmp_path / f"written_{name}.py").write_text(WRITTEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    results = make(recipe(), tmp_path / "out", sandbox, lambda progress: None)
    made = [(each.split, each.app_id) for each in results if isinstance(each, Made)]
    assert [split for split, _ in made] == ["train", "validation", "heldout"]
    for split, app_id in made:
        folder = tmp_path / "out" / split / app_id
        assert load_app(folder).app_id == app_id
        provenance = json.loads((folder / "made.json").read_text())
        assert provenance["module"] == f"written_{split}"
        assert provenance["covered"] == provenance["branches"]
    dropped = {(each.stage, each.reason) for each in results if isinstance(each, Dropped)}
    assert dropped == {("analysis", "uses print"), ("choice", "the split is full")}

    train = {"modules": ["written_train"], "apps": 3}
    with pytest.raises(RecipeError, match=r"train.apps=3: only 2 functions reach min_mutation_score=0.5"):
        make(recipe(train=train), tmp_path / "more", sandbox, lambda progress: None)


@pytest.mark.sandbox
def test_a_module_of_a_package_that_is_not_python_is_dropped(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "mixed"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "template.py").write_text("def {name}(x): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (dropped,) = make(RecipeConfig(package="mixed"), tmp_path / "out", sandbox, lambda progress: None)
    assert isinstance(dropped, Dropped)
    assert (dropped.app_id, dropped.stage) == ("mixed.template", "analysis")
    assert "not Python" in dropped.reason


def test_an_app_made_by_hand_is_never_replaced(tmp_path: Path):
    folder = tmp_path / "colorsys.rgb_to_hsv"
    folder.mkdir()
    (folder / "app.yaml").write_text("name: mine\n")
    with pytest.raises(RecipeError, match="was not made here"):
        make(CONFIG, tmp_path, None, print)  # pyright: ignore[reportArgumentType] - refused before it is used
    assert (folder / "app.yaml").read_text() == "name: mine\n"


def test_tests_read_as_a_person_would_write_them():
    text = text_of_tests(
        "_f",
        (
            Test("'a', n=2", "['a']", None, floats=False),
            Test("''", "raises ValueError", "ValueError", floats=False),
            Test("0", "None", None, floats=False),
            Test("1", "0.5", None, floats=True),
        ),
    )
    ast.parse(text)
    assert text.startswith("from math import isclose\n\nfrom solution import _f\n\n\ndef close(got, expected):\n")
    assert "def test_f_1():\n    assert _f('a', n=2) == ['a']\n" in text
    assert (
        "    try:\n        _f('')\n    except ValueError:\n        return\n    raise AssertionError(\"expected" in text
    )
    assert "    assert _f(0) is None\n" in text
    assert "    assert close(_f(1), 0.5)\n" in text


def test_the_suite_of_the_standard_library_asks_for_forty_apps_of_modules_in_one_split_each():
    config = load(RecipeConfig, RECIPES / "stdlib-40.yaml")
    assert sum(split.apps for split in config.splits.values()) == 40
    assert set(config.splits) == {"train", "validation", "heldout"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "package: unset; give it, or all of train, validation and heldout"),
        (["package=json", "train={modules: [re], apps: 1}"], "package=json: not together with train; give one of them"),
        (
            [f"{name}={{modules: [re], apps: 1}}" for name in ("train", "validation", "heldout")],
            "validation.modules: 're' is in train as well; keep it in one",
        ),
        (["package=json", "min_tests=9", "max_tests=8"], "min_tests=9 must not exceed max_tests=8"),
        (["package=../x"], "package='../x'"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(overrides: list[str], message: str):
    with pytest.raises(ConfigError) as caught:
        load(RecipeConfig, overrides=overrides)
    assert message in str(caught.value)
