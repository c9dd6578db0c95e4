"""The calls that tell most about a function: those that reach its branches, then those that mutants of it fail.

Inputs come in rounds. Each round draws fresh calls, and variations of those that are chosen; of what they come to, the
shortest call that takes a new branch is chosen, and the shortest that tells a mutant from the original. The rounds end
when every branch is reached and every mutant told, or the budget is spent. Then calls with new results fill the rest.
All by the seed alone.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.acceptance import accepted, domains
from cetd.data.recorded.branches import Branch
from cetd.data.recorded.examples import calls_in_docstring
from cetd.data.recorded.inputs import draw, words
from cetd.data.recorded.mutants import Mutant, mutants
from cetd.data.recorded.observing import Observed, Observer, UnsuitableError
from cetd.data.recorded.parameters import Parameter, parameters, values_of
from cetd.data.recorded.running import BrokenProgramError, Program, Raised, tells
from cetd.data.recorded.variations import edited
from cetd.seeds import derive

Drawn = SearchStrategy[tuple[Any, ...]]

_ROUND = 100  # calls
_MOST_RAISING = 3  # of that many tests, at most one expects an exception
_MOST_ALIKE = 4  # tests of one result that calls are added up to


@dataclass(frozen=True)
class Budget:
    """Bounds of an exploration; see :class:`cetd.config.RecipeConfig`."""

    seed: int
    inputs: int
    max_tests: int
    max_mutants: int
    steps: int


@dataclass(frozen=True)
class Explored:
    """The tests of a function, in the order of their choice, and what they reach."""

    tests: list[Observed]
    covered: int
    branches: int
    mutants: list[Mutant]
    killed: int


def explore(source: str, function: str, budget: Budget) -> Explored:
    """Choose calls of a pure function, and run them.

    Raises:
        UnsuitableError: it accepts no plain data, returns none, or changes its arguments.
    """
    return _Exploration(source, function, budget).run()


class _Exploration:
    def __init__(self, source: str, function: str, budget: Budget) -> None:
        self._source, self._name, self._budget = source, function, budget
        self._tree = ast.parse(source)
        self._node = [each for each in self._tree.body if isinstance(each, ast.FunctionDef) and each.name == function][
            -1
        ]
        self._parameters = parameters(self._node)
        self._words = words(self._tree)
        self._observer = Observer(source, function, self._parameters, budget.steps)
        self._chosen: dict[str, Observed] = {}
        self._covered: set[Branch] = set()
        self._mutants: list[Mutant] = []
        self._alive: list[Program] = []

    def run(self) -> Explored:
        """Rounds for the branches first; then the mutants of what these reach, and rounds for both."""
        examples = _usable_examples(self._node, self._parameters)
        self._cover(self._observer.observe(examples, example=True))
        fresh = self._fresh(examples)
        rounds = range(max(2, self._budget.inputs // _ROUND))
        for number in rounds[: len(rounds) // 2]:
            self._cover(self._round(fresh, number))
        self._observer.refuse_unusable()
        self._make_mutants()
        self._kill(list(self._chosen.values()))
        self._kill(self._observer.pool)
        for number in rounds[len(rounds) // 2 :]:
            if not self._alive and self._covered == self._all_branches():
                break
            new = self._round(fresh, number)
            self._cover(new)
            self._kill(new)
        self._observer.refuse_unusable()
        self._vary()
        killed = len(self._mutants) - len(self._alive)
        tests = list(self._chosen.values())
        return Explored(tests, len(self._covered), len(self._all_branches()), self._mutants, killed)

    # --------------------------------------------------------------------------------------------- inputs

    def _fresh(self, examples: list[list[Any]]) -> Drawn:
        """Values of the parameters, of the kinds that the function accepts.

        Raises:
            UnsuitableError: it accepts none.
        """
        for every in (False, True):
            choices = []
            for index, parameter in enumerate(self._parameters):
                seen = [values[index] for values in examples]
                choices.append(domains(self._tree, self._node, parameter, seen, self._words, every=every))
            found = accepted(choices, self._observer.attempt, derive("kinds", self._budget.seed))
            if found is not None:
                return found
        self._observer.refuse_unusable()
        raise UnsuitableError("accepts no plain data that was tried")

    def _round(self, fresh: Drawn, number: int) -> list[Observed]:
        strategy = st.one_of(fresh, self._variation(fresh)) if self._chosen else fresh
        return self._observer.observe(draw(strategy, _ROUND, derive("calls", self._budget.seed, number)))

    def _variation(self, fresh: Drawn) -> Drawn:
        """A chosen call with one argument edited, or drawn anew."""
        kept = [tuple(values_of(self._parameters, each.call)) for each in self._chosen.values()]
        indices = st.sampled_from(range(len(self._parameters)))

        def replaced(values: tuple[Any, ...], index: int) -> Drawn:
            other = st.one_of(edited(values[index], self._words), fresh.map(lambda drawn: drawn[index]))
            return other.map(lambda value: (*values[:index], value, *values[index + 1 :]))

        return st.tuples(st.sampled_from(kept), indices).flatmap(lambda drawn: replaced(*drawn))

    # --------------------------------------------------------------------------------------------- choosing

    def _cover(self, observed: Sequence[Observed]) -> None:
        """Choose calls that take a branch that none before has taken."""
        for each in observed:
            if each.branches - self._covered and self._has_room():
                self._choose(each)

    def _choose(self, observed: Observed) -> None:
        self._chosen[observed.call.text] = observed
        self._covered |= observed.branches

    def _has_room(self) -> bool:
        return len(self._chosen) < self._budget.max_tests

    def _all_branches(self) -> set[Branch]:
        """Of the functions that the chosen calls reach."""
        return self._observer.probes.within(self._observer.probes.reached(self._covered))

    def _make_mutants(self) -> None:
        """Of the functions that the calls reach.

        Raises:
            UnsuitableError: no call shows anything.
        """
        if not self._chosen:
            raise UnsuitableError("has no result that a test can hold")
        lines = self._observer.probes.reached(self._covered)
        self._mutants = mutants(self._source, lines, self._budget.max_mutants, self._budget.seed)
        for mutant in self._mutants:
            try:
                self._alive.append(Program(mutant.program, self._name, self._budget.steps))
            except BrokenProgramError:  # told by every test
                continue

    def _kill(self, observed: Sequence[Observed]) -> None:
        """Choose calls that tell a mutant that none before has told."""
        for each in observed:
            if not self._alive:
                return
            if each.call.text in self._chosen or self._has_room():
                alive = [mutant for mutant in self._alive if not tells(each.came, mutant.call(each.call)[0])]
                if len(alive) < len(self._alive):
                    self._choose(each)
                self._alive = alive

    def _vary(self) -> None:
        """Fill up with calls that take ways through the code which few tests take, and have results that few have."""
        ways = Counter(each.branches for each in self._chosen.values())
        results = Counter(each.came.text for each in self._chosen.values())
        raising = sum(isinstance(each.came, Raised) for each in self._chosen.values())
        pool = sorted(self._observer.pool, key=lambda each: each.order)
        for most in range(1, self._budget.max_tests + 1):
            for each in pool:
                raises = isinstance(each.came, Raised)
                too_many = raises and raising * _MOST_RAISING >= len(self._chosen)
                seldom = ways[each.branches] < most and results[each.came.text] < min(most, _MOST_ALIKE)
                if seldom and not too_many and each.call.text not in self._chosen:
                    if not self._has_room():
                        return
                    ways[each.branches] += 1
                    results[each.came.text] += 1
                    raising += raises
                    self._choose(each)


def _usable_examples(node: ast.FunctionDef, parameters: Sequence[Parameter]) -> list[list[Any]]:
    """The arguments of the docstring's examples, by parameter."""
    found = []
    for made in calls_in_docstring(node):
        try:
            found.append(values_of(parameters, made))
        except ValueError:  # an example that gives what is not a parameter
            continue
    return found
