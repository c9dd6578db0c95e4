"""The calls that tell most about a function: those that reach its branches, then those that mutants of it fail.

Inputs come in rounds. Each round draws fresh calls, and variations of those that reached something new; of what they
come to, the shortest call that takes a new branch is kept, then the shortest that tells a mutant from the original. The
rounds end when every branch is reached and every mutant told, or the budget is spent. Then calls with new results fill
the rest. All by the seed alone.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.branches import Branch
from cetd.data.recorded.examples import calls_in_docstring
from cetd.data.recorded.inputs import KINDS, annotated, argument, draw, guess, words
from cetd.data.recorded.mutants import Mutant, mutants
from cetd.data.recorded.parameters import OMITTED, Call, Parameter, call, parameters, values_of
from cetd.data.recorded.running import BrokenProgramError, Came, Program, Raised, Returned, Unusable, tells
from cetd.seeds import derive

_ROUND = 100  # calls
_TRIES_PER_COMBINATION = 6
_COMBINATIONS = 80
_KEPT_COMBINATIONS = 6
_LONGEST_CALL = 90  # characters, so that a test is one line
_LONGEST_RESULT = 400
_MOST_RAISING = 3  # of that many tests, at most one expects an exception
_BEST_UNUSABLE = 0.5


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
        tree = ast.parse(source)
        node = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function][-1]
        self._source, self._name, self._budget = source, function, budget
        self._parameters = parameters(node)
        self._words = words(tree)
        self._examples = _usable_examples(node, self._parameters)
        try:
            self._program = Program(source, function, budget.steps)
        except BrokenProgramError as error:
            raise UnsuitableError(f"does not run on its own: {error}") from None
        self._known: set[str] = set()
        self._unusable: dict[str, int] = {}
        self._chosen: list[Observed] = []
        self._pool: list[Observed] = []
        self._covered: set[Branch] = set()
        self._mutants: list[Mutant] | None = None
        self._alive: list[Program] = []

    def run(self) -> Explored:
        self._observe(self._examples, example=True)
        fresh = self._fresh()
        for number in range(-(-self._budget.inputs // _ROUND)):
            strategy = st.one_of(fresh, self._variation(fresh)) if self._chosen else fresh
            new = self._observe(draw(strategy, _ROUND, derive("calls", self._budget.seed, self._name, number)))
            self._cover(sorted([*self._pool, *new] if number == 0 else new, key=lambda each: each.order))
            if self._mutants is None and self._chosen:
                self._make_mutants()
            self._kill(self._chosen if number == 0 else [])
            self._kill(sorted(new, key=lambda each: each.order))
            if self._mutants is not None and not self._alive and self._all_branches() == self._covered:
                break
        self._refuse_unusable()
        return self._explored()

    # --------------------------------------------------------------------------------------------- inputs

    def _fresh(self) -> SearchStrategy[tuple[Any, ...]]:
        """Values of the parameters, of the kinds that the function accepts.

        Raises:
            UnsuitableError: it accepts none.
        """
        hinted = [self._domains(parameter, index, every=False) for index, parameter in enumerate(self._parameters)]
        accepted = self._accepted(hinted)
        if not accepted:
            every = [self._domains(parameter, index, every=True) for index, parameter in enumerate(self._parameters)]
            accepted = self._accepted(every)
        if not accepted:
            self._refuse_unusable()
            raise UnsuitableError("accepts no plain data that was tried")
        return st.one_of(accepted)

    def _domains(self, parameter: Parameter, index: int, *, every: bool) -> list[SearchStrategy[Any]]:
        """What a parameter may be given."""
        strategy = annotated(parameter.annotation, self._words)
        if strategy is not None:
            return [argument(parameter, strategy)]
        seen = [values[index] for values in self._examples if values[index] is not OMITTED]
        kinds = [] if every else guess(parameter, seen)
        own = st.sampled_from(seen) if seen and parameter.kind != "rest" else None
        found = []
        for kind in kinds or KINDS:
            strategy = KINDS[kind](self._words)
            found.append(argument(parameter, st.one_of(own, strategy) if own is not None else strategy))
        return found

    def _accepted(self, domains: list[list[SearchStrategy[Any]]]) -> list[SearchStrategy[tuple[Any, ...]]]:
        """The combinations of kinds that give results, those with the most different ones first."""
        combinations = list(islice(product(*domains), 20_000))
        if len(combinations) > _COMBINATIONS:
            combinations = Random(derive("kinds", self._budget.seed, self._name)).sample(combinations, _COMBINATIONS)
        rated = []
        for index, combination in enumerate(combinations):
            strategy = st.tuples(*combination)
            key = derive("try", self._budget.seed, self._name, index)
            came = [self._program.call(made)[0] for made in self._calls(draw(strategy, _TRIES_PER_COMBINATION, key))]
            results = {each.text for each in came if isinstance(each, Returned)}
            refusals = {each.text for each in came if isinstance(each, Raised)}
            self._count(came)
            if results or refusals:
                rated.append((len(results), len(refusals), -index, strategy))
        rated.sort(key=lambda each: each[:3], reverse=True)
        return [strategy for *_, strategy in rated[:_KEPT_COMBINATIONS] if rated[0][0]]

    def _variation(self, fresh: SearchStrategy[tuple[Any, ...]]) -> SearchStrategy[tuple[Any, ...]]:
        """A chosen call with one argument drawn anew."""
        kept = [tuple(values_of(self._parameters, each.call)) for each in self._chosen]

        def replaced(values: tuple[Any, ...], index: int, other: tuple[Any, ...]) -> tuple[Any, ...]:
            return (*values[:index], other[index], *values[index + 1 :])

        return st.builds(replaced, st.sampled_from(kept), st.sampled_from(range(len(self._parameters))), fresh)

    def _calls(self, drawn: Sequence[Sequence[Any]]) -> list[Call]:
        made = [call(self._parameters, values) for values in drawn]
        return [each for each in made if len(each.text) <= _LONGEST_CALL]

    # --------------------------------------------------------------------------------------------- running

    def _observe(self, drawn: Sequence[Sequence[Any]], *, example: bool = False) -> list[Observed]:
        """Run the calls that are new, and add those that show something to the pool."""
        new = []
        for made in self._calls(drawn):
            if made.text in self._known:
                continue
            self._known.add(made.text)
            came, branches = self._program.call(made)
            self._count([came])
            if not isinstance(came, Unusable) and len(came.text) <= _LONGEST_RESULT:
                new.append(Observed(made, came, frozenset(branches), example))
        self._pool += new
        return new

    def _count(self, came: Sequence[Came]) -> None:
        for each in came:
            reason = each.reason if isinstance(each, Unusable) else "usable"
            self._unusable[reason] = self._unusable.get(reason, 0) + 1

    def _refuse_unusable(self) -> None:
        """
        Raises:
            UnsuitableError: what calls come to cannot be written down, or they leave their mark on the arguments.
        """
        for reason, count in sorted(self._unusable.items()):
            seldom = reason in ("usable", "misused", "is no finite number", "has no end") or reason[:6] == "raises"
            if count and not seldom:
                raise UnsuitableError(reason)
        if self._unusable.get("has no end", 0) > _BEST_UNUSABLE * self._unusable.get("usable", 0):
            raise UnsuitableError("has no end on many inputs")

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
        """Of the functions that the calls reach."""
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
        if not self._chosen or self._mutants is None:
            raise UnsuitableError("has no result that a test can hold")
        self._vary()
        made, killed = self._mutants, len(self._mutants) - len(self._alive)
        return Explored(self._chosen, len(self._covered), len(self._all_branches()), made, killed)

    def _vary(self) -> None:
        """Fill up with calls of results that no test has yet."""
        known = {each.came.text for each in self._chosen}
        for each in sorted(self._pool, key=lambda each: each.order):
            raising = sum(isinstance(test.came, Raised) for test in self._chosen)
            too_many = isinstance(each.came, Raised) and raising * _MOST_RAISING >= len(self._chosen)
            if each.came.text not in known and not too_many and self._may_choose(each):
                known.add(each.came.text)
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
