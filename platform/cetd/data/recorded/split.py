"""The making of one split: its functions analysed, recorded, ranked, and judged until there are enough apps."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cetd.config import RecipeConfig
from cetd.config.loading import dump
from cetd.data.recorded.functions import Candidate, Refused, candidates
from cetd.data.recorded.judging import judge
from cetd.data.recorded.modules import SourceError, read_module
from cetd.data.recorded.recording import TOO_SMALL, Recorded, record
from cetd.data.recorded.writing import Provenance, app_of, is_foreign, provenance, read, write
from cetd.sandbox.sandbox import Sandbox

# Share of branches from which on more of it says less than how much there is to cover: else one-liners come first.
_WELL = 0.9


class RecipeError(ValueError):
    """A recipe that cannot be carried out here; the message is one line for the user."""


@dataclass(frozen=True)
class Made:
    """An app, its folder and its figures. ``kept``: it was there already."""

    app_id: str
    split: str
    folder: Path
    figures: Provenance
    kept: bool


@dataclass(frozen=True)
class Dropped:
    """A function that became no app, at which stage, and why."""

    app_id: str
    split: str
    stage: Literal["analysis", "recording", "judging", "choice"]
    reason: str


@dataclass(frozen=True)
class Progress:
    """A function that is through a stage: ``done`` of ``total`` in its split."""

    split: str
    stage: Literal["recording", "judging"]
    app_id: str
    done: int
    total: int
    result: str


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Split:
    """What one folder of apps is made from; ``name`` is empty for a single package. ``apps`` unset: all that pass."""

    name: str
    modules: tuple[str, ...]
    apps: int | None
    folder: Path


class Making:
    """One split on its way; :meth:`run` is all of it.

    Raises:
        RecipeError: the folder has apps of another configuration, or made by hand.
    """

    def __init__(self, config: RecipeConfig, split: Split, sandbox: Sandbox, report: Report) -> None:
        self._config, self._split, self._sandbox, self._report = config, split, sandbox, report
        self._recipe = hashlib.blake2b(dump(config).encode(), digest_size=8).hexdigest()
        self._made = self._kept()
        self._per_module = Counter(each.figures.module for each in self._made)

    def run(self) -> list[Made | Dropped]:
        """What there is of an earlier run belongs to the result, whatever its rank was: it need not be recorded again.

        Raises:
            SourceError: a module that the recipe names cannot be read; in a package it is dropped.
        """
        if self._split.apps and len(self._made) >= self._split.apps:
            return list(self._made)
        found, dropped = self._analyse()
        there = {each.app_id for each in self._made}
        recorded = self._record([each for each in found if each.app_id not in there], dropped)
        self._choose(recorded, dropped)
        return [*self._made, *dropped]

    def _kept(self) -> list[Made]:
        """Apps of an earlier run of the same configuration.

        Raises:
            RecipeError: there is one of another, or one that was made by hand.
        """
        folders = sorted(self._split.folder.iterdir()) if self._split.folder.is_dir() else []
        kept = []
        for folder in folders:
            if not folder.is_dir():
                continue
            figures = read(folder)
            if figures is None and is_foreign(folder):
                raise RecipeError(f"{folder}: an app that was not made here; choose another folder or delete it")
            if figures:
                if figures.recipe != self._recipe:
                    raise RecipeError(f"{folder}: made with another configuration; choose another folder or delete it")
                kept.append(Made(folder.name, self._split.name, folder, figures, kept=True))
        return kept

    def _analyse(self) -> tuple[list[Candidate], list[Dropped]]:
        """
        Raises:
            SourceError: a module that the recipe names cannot be read; in a package it is dropped.
        """
        config = self._config
        found: list[Candidate] = []
        dropped: list[Dropped] = []
        for name in self._split.modules:
            try:
                verdicts = candidates(read_module(name), private=config.private, max_lines=config.max_source_lines)
            except SourceError as error:
                if self._split.apps:
                    raise
                dropped.append(Dropped(name, self._split.name, "analysis", str(error)))
                continue
            found += [each for each in verdicts if isinstance(each, Candidate)]
            dropped += [self._refused(each, "analysis") for each in verdicts if isinstance(each, Refused)]
        return found, dropped

    def _record(self, found: Sequence[Candidate], dropped: list[Dropped]) -> list[Recorded]:
        """The functions whose tests promise to hold them, the best covered first."""
        good: list[Recorded] = []
        with ThreadPoolExecutor(self._sandbox.slots) as pool:
            for number, each in enumerate(pool.map(lambda one: record(one, self._config), found), 1):
                result = each if isinstance(each, Refused) else self._bar(each)
                if isinstance(result, Refused):
                    dropped.append(self._refused(result, "recording"))
                    said = result.reason
                else:
                    good.append(result)
                    said = f"{len(result.tests)} tests, {result.covered} of {result.branches} branches"
                app_id = found[number - 1].app_id
                self._report(Progress(self._split.name, "recording", app_id, number, len(found), said))
        return sorted(good, key=_rank)

    def _bar(self, recorded: Recorded) -> Recorded | Refused:
        config, candidate = self._config, recorded.candidate
        reason = None
        if len(recorded.mutants) < config.min_mutants:
            reason = TOO_SMALL
        elif len(recorded.tests) < config.min_tests:
            reason = "too few tests"
        elif recorded.expected_score < config.min_mutation_score:
            reason = "tests kill too few mutants"
        return Refused(candidate.module, candidate.function, reason) if reason else recorded

    def _choose(self, recorded: Sequence[Recorded], dropped: list[Dropped]) -> None:
        """Judge by rank until the split is full; as many at a time as the sandbox takes."""
        waiting = list(recorded)
        with ThreadPoolExecutor(self._sandbox.slots) as pool:
            done = 0
            while waiting:
                batch = self._next(waiting, dropped)
                for one, result in zip(batch, pool.map(self._judge, batch), strict=True):
                    done += 1
                    said = self._settle(one, result, dropped)
                    progress = Progress(
                        self._split.name, "judging", one.candidate.app_id, done, self._split.apps or len(recorded), said
                    )
                    self._report(progress)

    def _next(self, waiting: list[Recorded], dropped: list[Dropped]) -> list[Recorded]:
        """The next by rank that there is room for."""
        batch: list[Recorded] = []
        while waiting and len(batch) < self._sandbox.slots:
            if self._split.apps and len(self._made) + len(batch) >= self._split.apps:
                if not batch:
                    dropped += [self._spare(each, "the split is full") for each in waiting]
                    waiting.clear()
                break
            module, most = waiting[0].candidate.module, self._config.max_per_module
            if most and self._per_module[module] >= most:
                dropped.append(self._spare(waiting.pop(0), "its module has enough apps"))
            elif most and self._per_module[module] + sum(one.candidate.module == module for one in batch) >= most:
                break  # whether there is room shows once those before are judged
            else:
                batch.append(waiting.pop(0))
        return batch

    def _judge(self, recorded: Recorded) -> Made | str:
        candidate = recorded.candidate
        folder = self._split.folder / candidate.app_id
        app = app_of(recorded, self._config.timeout_s)
        judged = judge(app, recorded.mutants, self._sandbox)
        if isinstance(judged, str):
            return judged
        if judged.score < self._config.min_mutation_score:
            return "tests kill too few mutants"
        figures = provenance(recorded, self._config.seed, self._recipe, judged.killed, judged.mutants)
        write(folder, app, figures)
        return Made(candidate.app_id, self._split.name, folder, figures, kept=False)

    def _settle(self, recorded: Recorded, result: Made | str, dropped: list[Dropped]) -> str:
        candidate = recorded.candidate
        if isinstance(result, str):
            dropped.append(Dropped(candidate.app_id, self._split.name, "judging", result))
            return result
        self._made.append(result)
        self._per_module[candidate.module] += 1
        return f"{result.figures.killed} of {result.figures.mutants} mutants killed"

    def _refused(self, refused: Refused, stage: Literal["analysis", "recording"]) -> Dropped:
        return Dropped(f"{refused.module}.{refused.function}", self._split.name, stage, refused.reason)

    def _spare(self, recorded: Recorded, reason: str) -> Dropped:
        return Dropped(recorded.candidate.app_id, self._split.name, "choice", reason)


def _rank(recorded: Recorded) -> tuple[float, int, float, str]:
    """Best covered first; of those that are covered well the richest, then the best held."""
    share = recorded.covered / recorded.branches if recorded.branches else 0.0
    return -min(share, _WELL), -recorded.branches, -recorded.expected_score, recorded.candidate.app_id
