from dataclasses import replace

import pytest

from cetd.config import SamplingConfig, SandboxConfig
from cetd.data.app import App, Interface
from cetd.feedback.cache import RewardCache, outcome_key, program_key
from cetd.feedback.rollout import Reconstruction, Rollout, Sample
from cetd.sandbox.outcome import Crashed, Scored, Unscored

GREEDY, DRAWN = SamplingConfig(temperature=0.0), SamplingConfig(temperature=0.8)
APP = App("a", {"m.py": "def f(): pass"}, {"test_m.py": "assert True"}, Interface("m", ("def f()",)), 2.0)
LIMITS = SandboxConfig()
KEY = program_key("add one", "def f()", "r1", GREEDY, 0)


def test_program_key_depends_on_all_that_the_program_depends_on():
    keys = {
        KEY,
        program_key("add two", "def f()", "r1", GREEDY, 0),
        program_key("add one", "def g()", "r1", GREEDY, 0),
        program_key("add onedef f()", "", "r1", GREEDY, 0),
        program_key("add one", "def f()", "r2", GREEDY, 0),
        program_key("add one", "def f()", "r1", GREEDY.model_copy(update={"max_new_tokens": 9}), 0),
        program_key("add one", "def f()", "r1", DRAWN, 0),
        program_key("add one", "def f()", "r1", DRAWN, 1),
        program_key("add one", "def f()", "r1", DRAWN.model_copy(update={"top_p": 0.9}), 1),
    }
    assert len(keys) == 9


def test_seed_and_truncation_are_irrelevant_to_greedy_sampling():
    assert program_key("add one", "def f()", "r1", GREEDY, 99) == KEY
    assert program_key("add one", "def f()", "r1", GREEDY.model_copy(update={"top_k": 5}), 0) == KEY


def test_unnamed_revision_is_refused():
    with pytest.raises(ValueError, match="revision=''"):
        program_key("add one", "def f()", "", GREEDY, 0)


def test_outcome_key_depends_on_program_tests_and_limits_but_not_on_parallelism():
    key = outcome_key("x", APP, LIMITS)
    others = {
        outcome_key("y", APP, LIMITS),
        outcome_key("x", replace(APP, tests={"test_m.py": "assert False"}), LIMITS),
        outcome_key("x", replace(APP, timeout_s=3.0), LIMITS),
        outcome_key("x", replace(APP, interface=Interface("n", ())), LIMITS),
        outcome_key("x", APP, LIMITS.model_copy(update={"memory_mb": 1})),
    }
    assert len(others) == 5
    assert key not in others
    assert outcome_key("x", replace(APP, app_id="b"), LIMITS.model_copy(update={"slots": 9, "replicas": 9})) == key


def test_counts_hits_and_misses():
    cache = RewardCache()
    assert cache.get_program("k") is None
    cache.put_program("k", "")
    assert cache.get_program("k") == ""
    assert (cache.programs.hits, cache.programs.misses, cache.programs.share) == (1, 1, 0.5)
    assert cache.outcomes.share == 0.0


def test_unscored_is_never_cached():
    cache = RewardCache()
    cache.put_outcome("k", Unscored("engine died"))
    assert cache.get_outcome("k") is None
    cache.put_outcome("k", Crashed("SyntaxError", 0.1))
    cache.put_outcome("k", Unscored("engine died"))
    assert cache.get_outcome("k") == Crashed("SyntaxError", 0.1)


def test_least_recently_used_entry_leaves_first():
    cache = RewardCache(limit=2)
    cache.put_program("a", "1")
    cache.put_program("b", "2")
    cache.get_program("a")
    cache.put_program("c", "3")
    assert [cache.get_program(key) for key in "abc"] == ["1", None, "3"]


def test_limit_must_be_positive():
    with pytest.raises(ValueError, match="limit=0"):
        RewardCache(limit=0)


def test_rebuild_takes_scored_results_of_known_apps_and_llms():
    sample = Sample("a", 0, 0, 1, 0, "add one", (), ())
    outcome = Scored(1, 1, 0.1)
    rollouts = [
        Rollout(
            sample,
            (
                Reconstruction("small", "vllm", "r1", 5, "good", outcome),
                Reconstruction("large", "vllm", "r2", 6, "lost", Unscored("sandbox died")),
                Reconstruction("gone", "vllm", "r3", 7, "old", outcome),
            ),
        ),
        Rollout(replace(sample, app_id="unknown"), (Reconstruction("small", "vllm", "r1", 5, "bad", outcome),)),
    ]
    cache = RewardCache()
    cache.rebuild(rollouts, {"a": APP}, {"small": GREEDY, "large": GREEDY}, LIMITS)
    assert cache.get_program(program_key("add one", "def f()", "r1", GREEDY, 0)) == "good"
    assert cache.get_outcome(outcome_key("good", APP, LIMITS)) == outcome
    assert cache.get_program(program_key("add one", "def f()", "r2", GREEDY, 6)) is None
    assert cache.get_outcome(outcome_key("lost", APP, LIMITS)) is None
    assert cache.get_outcome(outcome_key("old", APP, LIMITS)) is None
