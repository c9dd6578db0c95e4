"""Synthetic rollouts and run folders, shaped as the job makes them."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from cetd.config import FeedbackJobConfig, dump, validate
from cetd.evaluation.metrics import METRICS_FILE
from cetd.evaluation.summary import summarise, write_summary
from cetd.feedback import store
from cetd.feedback.rewards import reward
from cetd.feedback.rollout import Reconstruction, Rollout, Sample, Status
from cetd.sandbox.outcome import Crashed, Outcome, Scored, TestResult, TimedOut, Unscored

LLMS = ("small", "medium", "large")
STEPS = ("keep multiples of 3", "multiply each by 7", "reverse", "drop the first 2")
SOURCE = "def total(xs):\n    kept = [x for x in xs if x % 3 == 0]\n    return sum(x * 7 for x in kept)\n"
HOSTILE = "</code></pre><script>alert('owned')</script>\x00\x1b[31m\u202e & <img src=x onerror=alert(1)>"
CONFIG = validate(FeedbackJobConfig, {"run": {"name": "demo", "seed": 3}, "llms": [{"name": llm} for llm in LLMS]})


def scored(passed: int, total: int = 6) -> Scored:
    tests = tuple(
        TestResult(f"test_{i}", "passed" if i < passed else "failed", 0.001, "" if i < passed else "expected 42, got 7")
        for i in range(total)
    )
    return Scored(passed, total, 0.02, tests)


def rollout(
    app_id: str, iteration: int, sample: int, outcomes: list[Outcome], status: Status = "trained", text: str = "add one"
) -> Rollout:
    reconstructions = tuple(
        Reconstruction(llm, "vllm", f"rev-{llm}", 1, f"def total(xs):\n    return sum(xs) * {i}\n", outcome)
        for i, (llm, outcome) in enumerate(zip(LLMS, outcomes, strict=False))
    )
    rates = [one.pass_rate for one in reconstructions]
    return Rollout(
        Sample(app_id, iteration, sample, 1, iteration, text, (1, 2, 3), (-0.1, -0.2, -0.3)),
        reconstructions,
        reward(rates, 0.0, CONFIG.feedback),
        advantage=0.0,
        status=status,
    )


def drawn(draw: random.Random, ability: float) -> Outcome:
    if draw.random() < 0.04:
        return draw.choice([TimedOut(2.0), Crashed("SyntaxError: invalid syntax", 0.1), Unscored("engine died")])
    return scored(6 if draw.random() < ability else draw.choice([0, 0, 1, 2]))


def heldout(iteration: int, ability: float, apps: int = 24, seed: int = 0) -> list[Rollout]:
    draw = random.Random(f"{seed}-{iteration}")
    return [
        rollout(
            f"micro-{app:03d}",
            iteration,
            0,
            [drawn(draw, ability - 0.05 * rank) for rank in range(len(LLMS))],
            "evaluation",
            f"Write total(xs): {', then '.join(STEPS[: 1 + app % 4])}; return the sum.",
        )
        for app in range(apps)
    ]


def make_run(folder: Path, iterations: int = 40, finished: bool = True) -> Path:
    """A run folder that learned; unfinished: killed before its last evaluation, in the middle of a metrics line."""
    folder.mkdir(parents=True, exist_ok=True)
    draw, lines = random.Random(0), []
    (folder / "config.yaml").write_text(dump(CONFIG))
    apps = {f"micro-{i:03d}": {"source": SOURCE, "interface": "def total(xs: list[int]) -> int"} for i in range(24)}
    (folder / "apps.json").write_text(json.dumps(apps))
    measured = {app: {"timeout_s": 1.0, "test_ids": ["t::a"]} for app in apps}
    noise = {"test_runs": 20_000, "flips": 1, "noise_floor": 0.0002}
    quarantined = {"micro-099": "unstable, 1 of 2 failed; run 2 of 2: <b>timed_out</b>"}
    (folder / "admission.json").write_text(json.dumps({"measured": measured, "quarantined": quarantined, **noise}))
    for iteration in range(iterations):
        ability = 0.2 + 0.6 * (1 - math.exp(-iteration / 12))
        rollouts = [
            rollout(f"train-{app}", iteration, sample, [drawn(draw, ability) for _ in LLMS])
            for app in range(4)
            for sample in range(2)
        ]
        store.write(store.training_path(folder, iteration), rollouts, run="demo")
        lines.append(json.dumps(metrics_line(iteration, ability, draw)))
    (folder / METRICS_FILE).write_text("\n".join(lines) + ("\n" if finished else '\n{"iteration": 9'))
    before, after = heldout(0, 0.2), heldout(iterations, 0.8)
    store.write(store.evaluation_path(folder, 0), before, run="demo")
    if finished:
        store.write(store.evaluation_path(folder, iterations), after, run="demo")
        write_summary(folder, make_summary(before, after))
    return folder


def make_summary(before: list[Rollout], after: list[Rollout], **extras: object) -> dict:
    seconds = {"generate": 31.0, "reconstruct": 88.5, "test": 7.5, "update": 29.0}
    return summarise(
        before=before,
        after=after,
        engines=dict.fromkeys(LLMS, "vllm"),
        rollouts=5120,
        unscored=12,
        dropped=16,
        efficiency=0.91,
        stage_seconds=seconds,
        wall_s=97.4,
        seed=3,
        extras=extras,
    )


def metrics_line(iteration: int, ability: float, draw: random.Random) -> dict:
    def noisy(value: float, spread: float = 0.04) -> float:
        return value + draw.uniform(-spread, spread)

    return {
        "iteration": iteration,
        "policy_version": iteration,
        "reward": noisy(ability),
        "pass_rate": {llm: noisy(ability - 0.05 * rank) for rank, llm in enumerate(LLMS)},
        "leakage": abs(noisy(0.01, 0.01)),
        "requirements_tokens": noisy(30 + iteration / 10, 2),
        "loss": noisy(-0.02, 0.05),
        "grad_norm": abs(noisy(1.2, 0.6)),
        "kl": abs(noisy(0.004, 0.003)),
        "clip_fraction": abs(noisy(0.05, 0.03)),
        "learning_rate": 5e-4,
        "staleness_mean": min(iteration, 2) * 0.5,
        "rollouts": 128,
        "dropped": 8 if iteration in (5, 6) else 0,
        "unscored": 3 if iteration % 9 == 4 else 0,
        "cached_share": min(0.6, iteration / 60),
        "busy": {"generate": noisy(0.31), "reconstruct": noisy(0.9), "test": noisy(0.08), "update": noisy(0.3)},
        "rollouts_per_s": noisy(52, 6),
        "iteration_s": noisy(2.4, 0.3),
        "wall_s": 2.4 * (iteration + 1),
    }
