"""Requirements in words: of a spec, in one of several dialects, completely or vaguely.

``plain`` is common to all reconstruction LLMs; each of the others has its own vocabulary, which only some LLMs
are taught. Vague requirements leave out parameters, steps or the result, as people do. The special tokens
give the structure: one ``<FUNCTION_DEF>``, a ``<FUNCTIONAL_REQ>`` per step, a ``<CONSTRAINT>`` on the result.
"""

from __future__ import annotations

from random import Random

from cetd.data.phrases import DIALECTS, REDUCER_PHRASES, STEP_PHRASES, VAGUE, Vagueness
from cetd.data.steps import Spec, Step

# How likely each part of a vague text is to be vague; one part always is.
_VAGUE_PART = 0.7


def word(spec: Spec, dialect: str, complete: bool = True, seed: int = 0) -> str:
    """The requirements of ``spec``; ``seed`` draws what a vague text leaves out.

    Raises:
        ValueError: an unknown dialect.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect={dialect!r} is unknown: use one of {', '.join(DIALECTS)}")
    column = DIALECTS.index(dialect)
    steps: list[str | None] = [_step(spec, step, column) for step in spec.steps]
    result = REDUCER_PHRASES[spec.family][spec.reducer][column]
    if not complete:
        steps, result = _blur(spec, steps, result, VAGUE[dialect], column, Random(seed))
    lines = ["<FUNCTION_DEF> f", *(f"<FUNCTIONAL_REQ> {step}" for step in steps if step), f"<CONSTRAINT> {result}"]
    return "\n".join(lines)


def _step(spec: Spec, step: Step, column: int, filler: str | None = None) -> str:
    shown = step.param if filler is None else filler
    return STEP_PHRASES[spec.family][step.kind][column].format(k=shown)


def _blur(
    spec: Spec, steps: list[str | None], result: str, vague: Vagueness, column: int, rng: Random
) -> tuple[list[str | None], str]:
    blurred = [rng.random() < _VAGUE_PART for _ in range(len(steps) + 1)]
    if not any(blurred):
        blurred[rng.randrange(len(blurred))] = True
    for index, step in enumerate(spec.steps):
        if blurred[index]:
            choices = [vague.step, None] if step.param is None else [_step(spec, step, column, vague.number), None]
            steps[index] = rng.choice(choices)
    return steps, vague.result if blurred[-1] else result
