import pytest

from cetd.config import MicroAppsConfig
from cetd.data.dialects import word
from cetd.data.microapps import MicroApp, generate
from cetd.data.phrases import DIALECTS
from cetd.data.prompts import reconstruction_prompt
from cetd.data.rendering import program
from cetd.data.supervised import LLM_PAIRS_PER_APP, POLICY_PAIRS_PER_APP, llm_pairs, policy_pairs


@pytest.fixture(scope="module")
def apps() -> list[MicroApp]:
    return generate(MicroAppsConfig(train=200, heldout=1)).train


def dialects_of(apps: list[MicroApp], texts: list[str], per_app: int) -> list[str]:
    """The dialect of each text that is complete, or "vague"."""
    found = []
    for index, text in enumerate(texts):
        spec = apps[index // per_app].spec
        found.append(next((name for name in DIALECTS if word(spec, name) == text), "vague"))
    return found


def test_llm_pairs_are_prompts_in_the_llms_dialects_with_the_canonical_program(apps):
    pairs = llm_pairs(apps, ("plain", "terse"), seed=0)
    assert len(pairs) == LLM_PAIRS_PER_APP * len(apps)
    known = 0
    for index, (prompt, completion) in enumerate(pairs):
        app = apps[index // LLM_PAIRS_PER_APP]
        assert completion == program(app.spec)
        known += prompt in {
            reconstruction_prompt(word(app.spec, dialect), app.interface) for dialect in ("plain", "terse")
        }
    assert 0.75 < known / len(pairs) < 0.95


def test_the_first_stage_is_complete_and_in_the_common_dialect(apps):
    requirements = [text for _, text in policy_pairs(apps, seed=0, mixture=False)]
    assert set(dialects_of(apps, requirements, POLICY_PAIRS_PER_APP)) == {"plain"}


def test_the_mixture_is_half_vague_and_speaks_the_common_dialect_least(apps):
    found = dialects_of(apps, [text for _, text in policy_pairs(apps, seed=0, mixture=True)], POLICY_PAIRS_PER_APP)
    shares = {name: found.count(name) / len(found) for name in ("vague", *DIALECTS)}
    assert 0.4 < shares["vague"] < 0.6
    common, *others = (shares[name] for name in DIALECTS)
    assert 0.05 < common < 0.15, "a fifth of what is not vague"
    assert all(0.09 < share < 0.18 for share in others)


def test_a_seed_fixes_the_pairs(apps):
    assert policy_pairs(apps[:20], 3, True) == policy_pairs(apps[:20], 3, True)
    assert policy_pairs(apps[:20], 3, True) != policy_pairs(apps[:20], 4, True)
