"""Which kinds of arguments a function accepts, found by trying where its text does not tell."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.annotations import annotated
from cetd.data.recorded.definitions import Function
from cetd.data.recorded.inputs import KINDS, UNKNOWN, Words, argument, draw, guess
from cetd.data.recorded.parameters import OMITTED, Parameter
from cetd.data.recorded.running import Came, Raised, Returned
from cetd.data.recorded.usage import kinds_by_use
from cetd.seeds import derive

_TRIES = 8
_COMBINATIONS = 150
_PRODUCT = 20_000
_KEPT = 6

# What a call with one value for each parameter comes to; None where it is not made.
Run = Callable[[Sequence[Any]], Came | None]


@dataclass(frozen=True)
class Domain:
    """One kind of values for one parameter."""

    kind: str
    strategy: SearchStrategy[Any]


@dataclass(frozen=True)
class _Rating:
    """How a combination of domains did: those that most calls accept, of one kind throughout, with varied results."""

    usable: int
    alike: bool
    results: int
    strategy: SearchStrategy[tuple[Any, ...]]


def domains(
    module: ast.Module, function: Function, parameter: Parameter, seen: Sequence[Any], words: Words, *, every: bool
) -> list[Domain]:
    """What a parameter may be given: as its text says, or ``every`` kind unless it is annotated."""
    strategy = annotated(parameter.annotation, words)
    if strategy is not None:
        return [Domain("annotated", argument(parameter, strategy))]
    kinds = [] if every else guess(parameter, seen, kinds_by_use(module, function, parameter.name))
    shown = [value for value in seen if value is not OMITTED]
    found = []
    for kind in kinds or UNKNOWN:
        strategy = KINDS[kind](words)
        if shown and not every and parameter.kind != "rest":
            strategy = st.one_of(st.sampled_from(shown), strategy)
        found.append(Domain(kind, argument(parameter, strategy)))
    return found


def accepted(choices: list[list[Domain]], run: Run, seed: int) -> SearchStrategy[tuple[Any, ...]] | None:
    """Values of all parameters, of the combinations of kinds that give results; None where none does."""
    pools = [
        {domain.kind: draw(domain.strategy, _TRIES, derive("try", seed, index, domain.kind)) for domain in choice}
        for index, choice in enumerate(choices)
    ]
    ratings = []
    for combination in _combinations(choices, seed):
        drawn = [pools[index][domain.kind] for index, domain in enumerate(combination)]
        came = [run([values[number % len(values)] for values in drawn]) for number in range(_TRIES)]
        usable = [each for each in came if isinstance(each, (Returned, Raised))]
        results = {each.text for each in usable if isinstance(each, Returned)}
        if results:
            alike = len({domain.kind for domain in combination}) == 1
            strategy = st.tuples(*(domain.strategy for domain in combination))
            ratings.append(_Rating(len(usable), alike, len(results), strategy))
    if not ratings:
        return None
    best = max(rating.usable for rating in ratings)
    kept = [rating for rating in ratings if rating.usable * 2 >= best]
    kept.sort(key=lambda rating: (rating.alike, rating.results, rating.usable), reverse=True)
    return st.one_of([rating.strategy for rating in kept[:_KEPT]])


def _combinations(choices: list[list[Domain]], seed: int) -> Iterator[Sequence[Domain]]:
    """All combinations, or a sample; always those that give all parameters the same kind."""
    every = list(islice(product(*choices), _PRODUCT))
    if len(every) <= _COMBINATIONS:
        yield from every
        return
    for kind in UNKNOWN:
        alike = [next((domain for domain in choice if domain.kind == kind), choice[0]) for choice in choices]
        yield alike
    yield from Random(derive("kinds", seed)).sample(every, _COMBINATIONS)
