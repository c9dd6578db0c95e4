import pytest

from cetd.config import MicroAppsConfig
from cetd.data.dialects import word
from cetd.data.microapps import generate
from cetd.data.phrases import DIALECTS, REDUCER_PHRASES, STEP_PHRASES
from cetd.data.steps import REDUCERS, STEPS, Spec, Step

SPEC = Spec("list", (Step("add", 3), Step("sort")), "first")


def test_complete_requirements_name_every_step_its_parameter_and_the_result():
    assert word(SPEC, "plain") == (
        "<FUNCTION_DEF> f\n"
        "<FUNCTIONAL_REQ> add 3 to every number\n"
        "<FUNCTIONAL_REQ> sort the numbers in ascending order\n"
        "<CONSTRAINT> return the first number, or zero"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_complete_requirements_determine_the_spec(dialect):
    apps = generate(MicroAppsConfig(train=200, heldout=1, families=("list", "int", "string"), max_steps=3)).train
    specs: dict[tuple[str, str], Spec] = {}
    for app in apps:
        text = word(app.spec, dialect)
        assert specs.setdefault((app.interface.text, text), app.spec) == app.spec


@pytest.mark.parametrize("dialect", DIALECTS)
def test_vague_requirements_leave_something_out(dialect):
    complete = set(word(SPEC, dialect).splitlines())
    for seed in range(50):
        assert complete - set(word(SPEC, dialect, complete=False, seed=seed).splitlines())


def test_a_seed_fixes_what_a_vague_text_leaves_out():
    texts = [word(SPEC, "plain", complete=False, seed=seed) for seed in range(30)]
    assert texts == [word(SPEC, "plain", complete=False, seed=seed) for seed in range(30)]
    assert len(set(texts)) > 3


def test_every_kind_has_its_own_phrase_in_every_dialect():
    for family in STEPS:
        for kinds, phrases in ((STEPS[family], STEP_PHRASES[family]), (REDUCERS[family], REDUCER_PHRASES[family])):
            assert set(phrases) == set(kinds)
            for name, columns in phrases.items():
                assert len(columns) == len(DIALECTS)
                takes_parameter = name in STEPS[family] and kinds is STEPS[family] and bool(kinds[name].params)
                assert all(("{k}" in phrase) == takes_parameter for phrase in columns), name
            for column in range(len(DIALECTS)):
                assert len({row[column] for row in phrases.values()}) == len(phrases)


def test_dialects_share_no_phrase():
    for family in STEPS:
        rows = [*STEP_PHRASES[family].values(), *REDUCER_PHRASES[family].values()]
        columns = [{row[column] for row in rows} for column in range(len(DIALECTS))]
        assert sum(map(len, columns)) == len(set().union(*columns))


def test_an_unknown_dialect_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"dialect='latin' is unknown: use one of plain, formal, casual, terse"):
        word(SPEC, "latin")
