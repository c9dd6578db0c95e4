"""The calls that tell most about a function: those that reach its branches, then those that mutants of it fail.

Inputs come in rounds. Each round draws fresh calls, and variations of those that reached something new; of what they
come to, the shortest call that takes a new branch is kept, then the shortest that tells a mutant from the original. The
rounds end when every branch is reached and every mutant told, or the budget is spent. Then calls with new results fill
the rest. All by the seed alone.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.acceptance import accepted, domains
from cetd.data.recorded.branches import Branch
from cetd.data.recorded.examples import calls_in_docstring
from cetd.data.recorded.inputs import draw, words
from cetd.data.recorded.mutants import Mutant, mutants
from cetd.data.recorded.parameters import Call, Parameter, call, parameters, values_of
from cetd.data.recorded.running import (
    ENDLESS,
    IMMEASURABLE,
    MISUSED,
    BrokenProgramError,
    Came,
    Program,
    Raised,
    Returned,
    Unusable,
    tells,
)
from cetd.data.recorded.variations import edited
from cetd.seeds import derive

_ROUND = 100  # calls
_LONGEST_CALL = 90  # characters, so that a test is one line
_LONGEST_RESULT = 400
_MOST_RAISING = 3  # of that many tests, at most one expects an exception
_MOST_ENDLESS = 0.5  # of the usable calls
_FILL = 3  # tests of one result that are added for variety
# What some calls may come to without making the function unsuitable.
_TOLERATED = ("usable", MISUSED, IMMEASURABLE, ENDLESS)


class UnsuitableError(ValueError):
    """A function that no app is made of; the message is the reason."""


@dataclass(frozen=True)
class Budget:
    """Bounds of an exploration; see :class:`cetd.config.RecipeConfig`."""

    seed: int
    inputs: int
    max_tests: int
    max_mutants: int
    steps: int


@dataclass(frozen=True)
class Observed:
    """A call, what it came to, and the branches that it took."""

    call: Call
    came: Returned | Raised
    branches: frozenset[Branch]
    example: bool = False

    @property
    def order(self) -> tuple[bool, int, str]:
        """Examples of the author first, then the short ones."""
        return not self.example, len(self.call.text) + len(self.came.text), self.call.text


@dataclass
class Explored:
    """The tests of a function, in the order of their choice, and what they reach."""

    tests: list[Observed] = field(default_factory=list)
    covered: int = 0
    branches: int = 0
    mutants: list[Mutant] = field(default_factory=list)
    killed: int = 0


def explore(source: str, function: str, budget: Budget) -> Explored:
    """Choose calls of a pure function, and run them.

    Raises:
        UnsuitableError: it accepts no plain data, returns none, or changes its arguments.
    """
    return _Exploration(source, function, budget).run()


class _Exploration:
    def __init__(self, source: str, function: str, budget: Budget) -> None:
        self._tree = tree = ast.parse(source)
        node = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function][-1]
        self._node = node
        self._source, self._name, self._budget = source, function, budget
        self._parameters = parameters(node)
        self._words = words(tree)
        self._examples = _usable_examples(node, self._parameters)
        try:
            self._program = Program(source, function, budget.steps)
        except BrokenProgramError as error:
            raise UnsuitableError(f"does not run on its own: {error}") from None
        self._known: set[str] = set()
        self._counts: dict[str, int] = {}
        self._chosen: list[Observed] = []
        self._pool: list[Observed] = []
        self._covered: set[Branch] = set()
        self._mutants: list[Mutant] = []
        self._alive: list[Program] = []

    def run(self) -> Explored:
        """Rounds for the branches first; then the mutants of what these reach, and rounds for both."""
        self._observe(self._examples, example=True)
        fresh = self._fresh()
        rounds = max(2, self._budget.inputs // _ROUND)
        number = 0
        while number < max(1, rounds // 2) and (number == 0 or self._covered != self._all_branches()):
            self._cover(self._round(fresh, number) if number else [*self._pool, *self._round(fresh, number)])
            number += 1
        self._refuse_unusable()
        self._make_mutants()
        self._kill(list(self._chosen))
        self._kill(self._pool)
        while number < rounds and (self._alive or self._covered != self._all_branches()):
            new = self._round(fresh, number)
            self._cover(new)
            self._kill(new)
            number += 1
        self._refuse_unusable()
        return self._explored()

    # --------------------------------------------------------------------------------------------- inputs

    def _fresh(self) -> SearchStrategy[tuple[Any, ...]]:
        """Values of the parameters, of the kinds that the function accepts.

        Raises:
            UnsuitableError: it accepts none.
        """
        for every in (False, True):
            choices = [
                domains(
                    self._tree,
                    self._node,
                    parameter,
                    [values[index] for values in self._examples],
                    self._words,
                    every=every,
                )
                for index, parameter in enumerate(self._parameters)
            ]
            found = accepted(choices, self._try, derive("kinds", self._budget.seed))
            if found is not None:
                return found
        self._refuse_unusable()
        raise UnsuitableError("accepts no plain data that was tried")

    def _try(self, values: Sequence[Any]) -> Came | None:
        made = call(self._parameters, values)
        if len(made.text) > _LONGEST_CALL:
            return None
        came, _ = self._program.call(made)
        self._count(came)
        return came

    def _round(self, fresh: SearchStrategy[tuple[Any, ...]], number: int) -> list[Observed]:
        strategy = st.one_of(fresh, self._variation(fresh)) if self._chosen else fresh
        return self._observe(draw(strategy, _ROUND, derive("calls", self._budget.seed, number)))

    def _variation(self, fresh: SearchStrategy[tuple[Any, ...]]) -> SearchStrategy[tuple[Any, ...]]:
        """A chosen call with one argument edited, or drawn anew."""
        kept = [tuple(values_of(self._parameters, each.call)) for each in self._chosen]
        indices = st.sampled_from(range(len(self._parameters)))

        def replaced(values: tuple[Any, ...], index: int) -> SearchStrategy[tuple[Any, ...]]:
            other = st.one_of(edited(values[index], self._words), fresh.map(lambda drawn: drawn[index]))
            return other.map(lambda value: (*values[:index], value, *values[index + 1 :]))

        return st.tuples(st.sampled_from(kept), indices).flatmap(lambda drawn: replaced(*drawn))

    # --------------------------------------------------------------------------------------------- running

    def _observe(self, drawn: Sequence[Sequence[Any]], *, example: bool = False) -> list[Observed]:
        """Run the calls that are new, and add those that show something to the pool."""
        new = []
        for made in (call(self._parameters, values) for values in drawn):
            if made.text in self._known or len(made.text) > _LONGEST_CALL:
                continue
            self._known.add(made.text)
            came, branches = self._program.call(made)
            self._count(came)
            if not isinstance(came, Unusable) and len(came.text) <= _LONGEST_RESULT:
                new.append(Observed(made, came, frozenset(branches), example))
        new.sort(key=lambda each: each.order)
        self._pool += new
        return new

    def _count(self, came: Came) -> None:
        reason = came.reason if isinstance(came, Unusable) else "usable"
        self._counts[reason] = self._counts.get(reason, 0) + 1

    def _refuse_unusable(self) -> None:
        """
        Raises:
            UnsuitableError: what calls come to cannot be written down, or they leave their mark on the arguments.
        """
        for reason in sorted(self._counts):
            if reason not in _TOLERATED and not reason.startswith("raises "):
                raise UnsuitableError(reason)
        if self._counts.get(ENDLESS, 0) > _MOST_ENDLESS * self._counts.get("usable", 0):
            raise UnsuitableError(f"{ENDLESS} on many inputs")

    # --------------------------------------------------------------------------------------------- choosing

    def _cover(self, observed: Sequence[Observed]) -> None:
        for each in observed:
            if each.branches - self._covered and self._may_choose(each):
                self._covered |= each.branches
                self._chosen.append(each)

    def _may_choose(self, observed: Observed) -> bool:
        return len(self._chosen) < self._budget.max_tests and observed not in self._chosen

    def _all_branches(self) -> set[Branch]:
        probes = self._program.probes
        return probes.within(probes.reached(self._covered))

    def _make_mutants(self) -> None:
        """Of the functions that the calls reach.

        Raises:
            UnsuitableError: no call shows anything.
        """
        if not self._chosen:
            raise UnsuitableError("has no result that a test can hold")
        lines = self._program.probes.reached(self._covered)
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
            if each in self._chosen or self._may_choose(each):
                alive = [mutant for mutant in self._alive if not tells(each.came, mutant.call(each.call)[0])]
                if len(alive) < len(self._alive) and each not in self._chosen:
                    self._chosen.append(each)
                self._alive = alive

    def _explored(self) -> Explored:
        self._vary()
        made, killed = self._mutants, len(self._mutants) - len(self._alive)
        return Explored(self._chosen, len(self._covered), len(self._all_branches()), made, killed)

    def _vary(self) -> None:
        """Fill up with calls whose results few tests have yet."""
        known = Counter(each.came.text for each in self._chosen)
        for most in range(1, _FILL + 1):
            for each in sorted(self._pool, key=lambda each: each.order):
                raising = sum(isinstance(test.came, Raised) for test in self._chosen)
                too_many = isinstance(each.came, Raised) and raising * _MOST_RAISING >= len(self._chosen)
                if known[each.came.text] < most and not too_many and self._may_choose(each):
                    known[each.came.text] += 1
                    self._chosen.append(each)


def _usable_examples(node: ast.FunctionDef, parameters: Sequence[Parameter]) -> list[list[Any]]:
    """The arguments of the docstring's examples, by parameter."""
    found = []
    for made in calls_in_docstring(node):
        try:
            found.append(values_of(parameters, made))
        except ValueError:  # an example that gives what is not a parameter
            continue
    return found
