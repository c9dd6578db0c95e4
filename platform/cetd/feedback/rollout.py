"""The rollout record: one requirements text with its reconstructions, test results and reward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cetd.sandbox.outcome import Outcome, pass_rate


@dataclass(frozen=True)
class Sample:
    """One requirements text as the policy drew it.

    ``tokens`` and ``log_probs`` are parallel (end-of-sequence token included where it was drawn); the
    log-probabilities are those of the distribution sampled from, at temperature 1 without truncation.
    """

    app_id: str
    iteration: int
    sample: int
    seed: int
    policy_version: int
    requirements: str
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]


@dataclass(frozen=True)
class Reconstruction:
    """One LLM's program for a requirements text, and what its tests came to.

    ``generate_s`` is the time of the call to the engine, which the program shares with others; 0 where ``cached``.
    """

    llm: str
    engine: str
    revision: str
    seed: int
    program: str
    outcome: Outcome
    generate_s: float = 0.0
    cached: bool = False

    @property
    def pass_rate(self) -> float | None:
        return pass_rate(self.outcome)


@dataclass(frozen=True)
class Reward:
    """A reward and its parts: value = scale * (mean - variance_penalty * spread) - leakage_penalty * leakage."""

    value: float
    mean: float
    spread: float
    leakage: float
    scored: int


# What the loop did with a rollout; "ready" ones await their update.
Status = Literal["ready", "trained", "dropped_quorum", "dropped_stale", "evaluation"]


@dataclass(frozen=True)
class Rollout:
    """A sample with its reconstructions; ``reward`` is None where fewer LLMs than the quorum were scored.

    ``timings`` are seconds by name; ``policy_revision`` names the weights that drew the sample.
    """

    sample: Sample
    reconstructions: tuple[Reconstruction, ...]
    reward: Reward | None = None
    advantage: float | None = None
    timings: dict[str, float] = field(default_factory=dict)
    status: Status = "trained"
    policy_revision: str = ""

    @property
    def key(self) -> tuple[int, str, int]:
        """(iteration, app, sample): rollouts are exactly-once by it."""
        return self.sample.iteration, self.sample.app_id, self.sample.sample
