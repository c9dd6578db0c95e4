"""Hypothesis strategies for rollouts, whatever an LLM or a sandbox may have said."""

from hypothesis import strategies as st

from cetd.feedback.rollout import Reconstruction, Reward, Rollout, Sample
from cetd.sandbox.outcome import Crashed, OutOfMemory, Scored, TestResult, TimedOut, Unscored

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBER = st.floats(allow_nan=False)
SEED = st.integers(0, 2**63 - 1)
COUNT = st.integers(0, 2**31 - 1)

TESTS = st.builds(TestResult, TEXT, st.sampled_from(["passed", "failed", "error"]), NUMBER, TEXT)
OUTCOMES = st.one_of(
    st.builds(Scored, COUNT, COUNT.filter(bool), NUMBER, st.lists(TESTS, max_size=3).map(tuple), TEXT),
    st.builds(TimedOut, NUMBER, TEXT),
    st.builds(OutOfMemory, NUMBER, TEXT),
    st.builds(Crashed, TEXT, NUMBER, TEXT),
    st.builds(Unscored, TEXT),
)
RECONSTRUCTIONS = st.builds(Reconstruction, TEXT, TEXT, TEXT, SEED, TEXT, OUTCOMES, NUMBER, st.booleans())
SAMPLES = st.builds(
    Sample,
    app_id=TEXT,
    iteration=COUNT,
    sample=COUNT,
    seed=SEED,
    policy_version=COUNT,
    requirements=TEXT,
    tokens=st.lists(COUNT, max_size=5).map(tuple),
    log_probs=st.lists(NUMBER, max_size=5).map(tuple),
)
ROLLOUTS = st.builds(
    Rollout,
    sample=SAMPLES,
    reconstructions=st.lists(RECONSTRUCTIONS, max_size=3).map(tuple),
    reward=st.none() | st.builds(Reward, NUMBER, NUMBER, NUMBER, NUMBER, COUNT),
    advantage=st.none() | NUMBER,
    timings=st.dictionaries(TEXT, NUMBER, max_size=3),
    status=st.sampled_from(["ready", "trained", "dropped_quorum", "dropped_stale", "evaluation"]),
    policy_revision=TEXT,
)
BATCHES = st.lists(ROLLOUTS, max_size=4, unique_by=lambda rollout: rollout.key)
