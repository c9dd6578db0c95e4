"""The reward cache: what was reconstructed or tested once is not done again.

Content-addressed (DESIGN.md, Reward cache): a key is the digest of everything that an answer depends on, so a wrong
hit would need a collision of BLAKE2b. *Unscored is never cached*: it says nothing about the program. Lives in the
memory of one process, for one thread; a resumed run rebuilds it from the rollouts it has stored.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

from cetd.config import SamplingConfig, SandboxConfig
from cetd.data.app import App
from cetd.feedback.rollout import Rollout
from cetd.sandbox.outcome import Outcome, Unscored

V = TypeVar("V")

# Of SandboxConfig, what a program can notice; how many run at once and the retries are none of it.
LIMITS = ("timeout_s", "cpu_s", "memory_mb", "processes", "file_mb", "output_kb")


def program_key(requirements: str, interface: str, revision: str, sampling: SamplingConfig, seed: int) -> str:
    """Key of the program that an LLM writes; greedy sampling makes the seed, top-k and top-p irrelevant.

    ``revision`` identifies the LLM's weights and prompt format.

    Raises:
        ValueError: ``revision`` is empty, which would mix up the programs of different LLMs.
    """
    if not revision:
        raise ValueError("revision='': name what identifies the LLM's weights, such as a digest or a served model")
    drawn = sampling.model_dump()
    if sampling.temperature == 0:
        drawn, seed = {"max_new_tokens": sampling.max_new_tokens}, 0
    return _digest("program", requirements, interface, revision, drawn, seed)


def outcome_key(program: str, app: App, limits: SandboxConfig) -> str:
    """Key of what the program comes to under the app's tests and the sandbox's limits."""
    bounds = {name: getattr(limits, name) for name in LIMITS} | {"app_timeout_s": app.timeout_s}
    files = {path: blake2b(data).hexdigest() for path, data in app.files.items()}
    suite = [dict(app.tests), app.runner, app.arguments, files, app.test_ids, sorted(app.reference), app.requirements]
    suite.append(app.plain)
    return _digest("outcome", program, app.interface.module, suite, bounds)


def _digest(*parts: object) -> str:
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=32).hexdigest()


@dataclass
class Counter:
    """Answers asked for, by whether the cache had them."""

    hits: int = 0
    misses: int = 0

    @property
    def share(self) -> float:
        return self.hits / (self.hits + self.misses) if self.hits else 0.0


@dataclass
class RewardCache:
    """Programs and outcomes by key; past ``limit`` entries of a kind the least recently used leaves."""

    limit: int | None = None
    programs: Counter = field(default_factory=Counter)
    outcomes: Counter = field(default_factory=Counter)
    _programs: OrderedDict[str, str] = field(default_factory=OrderedDict, repr=False)
    _outcomes: OrderedDict[str, Outcome] = field(default_factory=OrderedDict, repr=False)

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit={self.limit}: must be at least 1, or None for no limit")

    def get_program(self, key: str) -> str | None:
        return _get(self._programs, key, self.programs)

    def put_program(self, key: str, program: str) -> None:
        _put(self._programs, key, program, self.limit)

    def get_outcome(self, key: str) -> Outcome | None:
        return _get(self._outcomes, key, self.outcomes)

    def put_outcome(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome; an unscored one is passed over, so that callers need not ask."""
        if not isinstance(outcome, Unscored):
            _put(self._outcomes, key, outcome, self.limit)

    def rebuild(
        self,
        rollouts: Iterable[Rollout],
        apps: Mapping[str, App],
        sampling: Mapping[str, SamplingConfig],
        limits: SandboxConfig,
    ) -> None:
        """Take in stored rollouts; those of unknown apps (by id) or LLMs (``sampling``, by name) are passed over."""
        for rollout in rollouts:
            app = apps.get(rollout.sample.app_id)
            for one in rollout.reconstructions:
                drawn = sampling.get(one.llm)
                if app is None or drawn is None or isinstance(one.outcome, Unscored):
                    continue
                key = program_key(rollout.sample.requirements, app.interface.text, one.revision, drawn, one.seed)
                self.put_program(key, one.program)
                self.put_outcome(outcome_key(one.program, app, limits), one.outcome)


def _get(entries: OrderedDict[str, V], key: str, counter: Counter) -> V | None:
    if key not in entries:
        counter.misses += 1
        return None
    counter.hits += 1
    entries.move_to_end(key)
    return entries[key]


def _put(entries: OrderedDict[str, V], key: str, value: V, limit: int | None) -> None:
    entries[key] = value
    entries.move_to_end(key)
    if limit is not None and len(entries) > limit:
        entries.popitem(last=False)
