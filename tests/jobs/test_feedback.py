"""The feedback job as users run it: real Ray, real vLLM engines, the real sandbox, on the tiny preset."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from cetd.config import FeedbackJobConfig, load
from cetd.evaluation.metrics import read_metrics
from cetd.feedback import store
from cetd.feedback.rollout import Rollout
from cetd.sandbox.outcome import Unscored
from jobs import replay
from tests.jobs.running import TINY, Job, job, until

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.sandbox]

CONFIG = load(FeedbackJobConfig, TINY)
STREAMING = ("loop.max_staleness=2", "loop.chunk_apps=2")


def rows(folder: Path) -> list[Rollout]:
    return [store.without_timings(rollout) for rollout in store.read(folder / "rollouts")]


def last_weights(folder: Path) -> dict:
    newest = max((folder / "checkpoints").glob("step-*"))
    return load_file(newest / "model.safetensors")


def assert_exactly_once(folder: Path, iterations: int) -> None:
    loop = CONFIG.loop
    keys = [rollout.key for rollout in store.read(folder / "rollouts")]
    assert len(keys) == len(set(keys)) == iterations * loop.apps_per_iteration * loop.group_size


def test_the_tiny_job_leaves_what_the_issue_names(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert {"before", "after"} == set(summary["heldout_reward"])
    assert summary["engines"] == {llm.name: "vllm" for llm in CONFIG.llms}
    assert set(summary["stage_seconds"]) == {"generate", "reconstruct", "test", "update"}
    assert all(seconds > 0 for seconds in summary["stage_seconds"].values())
    assert (summary["unscored"], summary["dropped"], summary["seed"]) == (0, 0, 0)
    assert_exactly_once(undisturbed, CONFIG.loop.iterations)
    assert [line["iteration"] for line in read_metrics(undisturbed / "metrics.jsonl")] == list(
        range(CONFIG.loop.iterations)
    )
    assert list((undisturbed / "tensorboard").iterdir())
    report = (undisturbed / "report.html").read_text()
    assert all(llm.name in report for llm in CONFIG.llms)


def test_the_tiny_job_learns_from_rewards_that_differ(undisturbed: Path) -> None:
    rewards = {rollout.reward.value for rollout in store.read(undisturbed / "rollouts") if rollout.reward}
    assert len(rewards) > 2
    first = load_file(min((undisturbed / "checkpoints").glob("step-*")) / "model.safetensors")
    assert any((first[name] != tensor).any() for name, tensor in last_weights(undisturbed).items())


def test_stored_programs_give_the_recorded_outcomes_again(undisturbed: Path) -> None:
    assert replay.replay(undisturbed) == 0


def test_a_finished_run_is_not_run_again(undisturbed: Path, runs: Path) -> None:
    before = last_weights(undisturbed)
    with job(runs, "undisturbed") as again:
        again.finish()
    after = last_weights(undisturbed)
    assert all((after[name] == tensor).all() for name, tensor in before.items())
    assert_exactly_once(undisturbed, CONFIG.loop.iterations)


def test_a_run_whose_job_and_workers_are_killed_again_and_again_equals_the_undisturbed_one(
    undisturbed: Path, runs: Path
) -> None:
    rng = random.Random(7)
    root = runs / "fresh"  # no models yet
    root.mkdir()
    with job(root, "killed") as running:
        kill_when("training", running, rng)  # the models
    with job(root, "killed", flags=("--resume",)) as running:
        kill_when("starting", running, rng)  # engines, policy, sandbox, learner
    with job(root, "killed", flags=("--resume",)) as running:
        for title in ("ray::PolicyActor", "ray::SandboxActor", "ray::RayTrainWorker"):
            before = running.updates()
            until(lambda before=before: running.updates() > before, running)
            running.kill_one(title)
        # Between checkpoints, or while one is written.
        target = min(running.updates() + rng.randint(0, 1), CONFIG.loop.iterations - 1)
        until(lambda: running.updates() >= target, running)
        time.sleep(rng.uniform(0, 0.3))
        running.kill()
    with job(root, "killed", flags=("--resume",)) as last:
        summary = last.finish()
    assert rows(last.folder) == rows(undisturbed)
    expected, found = last_weights(undisturbed), last_weights(last.folder)
    assert all((found[name] == tensor).all() for name, tensor in expected.items())
    assert len(read_metrics(last.folder / "metrics.jsonl")) == CONFIG.loop.iterations
    assert summary["unscored"] == 0


def kill_when(said: str, running: Job, rng: random.Random) -> None:
    until(lambda: said in running.said(), running)
    time.sleep(rng.uniform(0, 0.3))
    running.kill()


def test_the_run_goes_on_at_quorum_while_a_killed_engine_comes_back(runs: Path) -> None:
    victim = CONFIG.llms[0].name
    iterations = 400
    quorum = ("feedback.quorum=1", "llms.0.limits.wait_when_down_s=0", f"loop.iterations={iterations}", *STREAMING)
    with job(runs, "engine-killed", *quorum, "loop.checkpoint_every=100") as running:
        until(lambda: running.updates() >= 3, running)
        running.kill_one("ray::VLLMEngine")
        until(lambda: "ready again" in running.said(), running)
        back = running.updates()
        until(lambda: running.updates() >= min(back + 5, iterations), running)
    outcomes: dict[str, list[bool]] = {}
    for rollout in store.read(running.folder / "rollouts"):
        for one in rollout.reconstructions:
            outcomes.setdefault(one.llm, []).append(isinstance(one.outcome, Unscored))
    lost = [llm for llm, flags in outcomes.items() if any(flags)]
    assert len(lost) == 1, "one engine was down for a while, the other never"
    assert not all(outcomes[lost[0]]), f"{victim} answered before and after"
    assert any(outcomes[lost[0]][-20:]) is False, "it answers again at the end"
