"""Requirements in words: of a spec, in one of several dialects, completely or vaguely.

``plain`` is common to all reconstruction LLMs; each of the others has its own vocabulary, which only some LLMs
are taught. Vague requirements leave out parameters, steps or the result, as people do. The special tokens
give the structure: one ``<FUNCTION_DEF>``, a ``<FUNCTIONAL_REQ>`` per step, a ``<CONSTRAINT>`` on the result.
"""

from __future__ import annotations

from random import Random

from cetd.data.phrases import DIALECTS, REDUCER_PHRASES, STEP_PHRASES, VAGUE
from cetd.data.steps import Spec, Step

# How likely each part of a vague text is to be vague; one part always is.
_VAGUE_PART = 0.9


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
        rng = Random(seed)
        blurred = _blurred(len(steps) + 1, rng)
        for index, step in enumerate(spec.steps):
            if blurred[index]:
                steps[index] = rng.choice((_vague_step(spec, step, column), None))
        if blurred[-1]:
            result = VAGUE[dialect].result
    lines = ["<FUNCTION_DEF> f", *(f"<FUNCTIONAL_REQ> {step}" for step in steps if step), f"<CONSTRAINT> {result}"]
    return "\n".join(lines)


def _step(spec: Spec, step: Step, column: int) -> str:
    return STEP_PHRASES[spec.family][step.kind][column].format(k=step.param)


def _vague_step(spec: Spec, step: Step, column: int) -> str:
    vague = VAGUE[DIALECTS[column]]
    if step.param is None:
        return vague.step
    return STEP_PHRASES[spec.family][step.kind][column].format(k=vague.number)


def _blurred(parts: int, rng: Random) -> list[bool]:
    """Which parts are vague: at least one."""
    blurred = [rng.random() < _VAGUE_PART for _ in range(parts)]
    if not any(blurred):
        blurred[rng.randrange(parts)] = True
    return blurred
