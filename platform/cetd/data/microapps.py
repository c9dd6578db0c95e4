"""Generated apps: small functions whose composition of steps is known, with tests obtained by running them.

Promises: the same configuration gives the same apps; every step and every parameter matters (a program without
the step, or with a neighbouring parameter, fails a test); held-out compositions never occur in train, and those of
the test set never in the validation set, whatever the seed. Knows nothing of models or dialects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

from cetd.config import MicroAppsConfig
from cetd.data.app import App, Interface
from cetd.data.rendering import source
from cetd.data.steps import REDUCERS, STEPS, Family, Spec, Step, evaluate, signature
from cetd.seeds import derive

Split = Literal["train", "validation", "test"]

MODULE = "solution"
TIMEOUT_S = 2.0
_CANDIDATES = 20
_ATTEMPTS = 10_000
_ATTEMPTS_PER_COUNT = 1_000
# Of ten parts of all compositions, two are for validation and one for the final test. A part that a recipe was
# changed for moves from test to validation, and a fresh one takes its place.
_PARTS: dict[int, Split] = {0: "validation", 1: "validation", 2: "test"}


@dataclass(frozen=True)
class MicroApp(App):
    """An app with the spec that it was rendered from."""

    spec: Spec = field(kw_only=True)


@dataclass(frozen=True)
class MicroApps:
    """Apps to learn from, and apps that measure."""

    train: list[MicroApp]
    heldout: list[MicroApp]


def generate(config: MicroAppsConfig) -> MicroApps:
    """All apps of a configuration. Train may repeat a spec (in another style); held-out specs are distinct.

    Raises:
        ValueError: more held-out apps than there are distinct ones.
    """
    train = [_app(config, "train", index, None) for index in range(config.train)]
    seen: set[Spec] = set()
    heldout = [_app(config, config.heldout_set, index, seen) for index in range(config.heldout)]
    return MicroApps(train, heldout)


def split_of(spec: Spec) -> Split:
    """Where apps of this composition belong; independent of every seed."""
    return _PARTS.get(derive("held-out composition", *spec.composition) % 10, "train")


def _app(config: MicroAppsConfig, split: Split, index: int, seen: set[Spec] | None) -> MicroApp:
    """The index-th app of a split: drawn until it belongs there, is not in ``seen`` and every step matters."""
    rng = Random(derive("micro-app", config.seed, split, index))
    count = 0
    for attempt in range(_ATTEMPTS):
        if attempt % _ATTEMPTS_PER_COUNT == 0:  # one-step specs are the first to run out
            count = rng.randint(config.min_steps, config.max_steps)
        spec = _draw(rng.choice(config.families), count, rng)
        if split_of(spec) != split or (seen is not None and spec in seen):
            continue
        inputs = _telling_inputs(spec, config.tests_per_app, rng)
        if inputs is None:
            continue
        if seen is not None:
            seen.add(spec)
        return _build(f"{split}-{index:05d}", spec, inputs, rng)
    raise ValueError(
        f"apps: no further {split} app after {len(seen or ())} of them: "
        f"lower heldout={config.heldout}, or raise max_steps={config.max_steps} or tests_per_app={config.tests_per_app}"
    )


def _draw(family: Family, count: int, rng: Random) -> Spec:
    kinds = [STEPS[family][name] for name in rng.sample(sorted(STEPS[family]), count)]
    steps = tuple(Step(kind.name, rng.choice(kind.params) if kind.params else None) for kind in kinds)
    return Spec(family, steps, rng.choice(sorted(REDUCERS[family])))


def _build(app_id: str, spec: Spec, inputs: Sequence[Any], rng: Random) -> MicroApp:
    text = source(spec, rng)
    namespace: dict[str, Any] = {}
    exec(compile(text, f"{MODULE}.py", "exec"), namespace)  # our own rendering, never an LLM's text
    lines = [f"from {MODULE} import f", ""]
    for number, value in enumerate(inputs):
        expected = namespace["f"](value)
        assert expected == evaluate(spec, value), f"{app_id}: the rendering disagrees with its spec\n{text}"
        lines += ["", f"def test_{number}():", f"    assert f({value!r}) == {expected!r}", ""]
    return MicroApp(
        app_id=app_id,
        source={f"{MODULE}.py": text},
        tests={f"test_{MODULE}.py": "\n".join(lines)},
        interface=Interface(MODULE, (signature(spec),)),
        timeout_s=TIMEOUT_S,
        spec=spec,
    )


# ------------------------------------------------------------------------------------------------- inputs


def _telling_inputs(spec: Spec, count: int, rng: Random) -> list[Any] | None:
    """Inputs on which every mutant of the spec is caught; None where some mutant cannot be, or results hardly vary."""
    candidates = [_input(spec.family, rng) for _ in range(_CANDIDATES)]
    results = [evaluate(spec, value) for value in candidates]
    mutants = _mutants(spec)
    # caught[i]: the mutants that the i-th candidate tells from the spec
    caught: list[set[int]] = [set() for _ in candidates]
    for number, mutant in enumerate(mutants):
        for index, value in enumerate(candidates):
            if evaluate(mutant, value) != results[index]:
                caught[index].add(number)
    if len(set().union(*caught)) < len(mutants):
        return None
    chosen: list[int] = []
    missing = set(range(len(mutants)))
    while len(chosen) < count:
        known = [results[index] for index in chosen]
        best = max(
            (index for index in range(len(candidates)) if index not in chosen),
            key=lambda index: (len(caught[index] & missing), results[index] not in known, len(caught[index])),
        )
        chosen.append(best)
        missing -= caught[best]
    varied = len({results[index] for index in chosen}) >= min(3, count)
    return [candidates[index] for index in sorted(chosen)] if varied and not missing else None


def _mutants(spec: Spec) -> list[Spec]:
    """The spec without one step, and with one parameter moved to its neighbours."""
    mutants = []
    for index, step in enumerate(spec.steps):
        before, after = spec.steps[:index], spec.steps[index + 1 :]
        mutants.append(replace(spec, steps=before + after))
        params = STEPS[spec.family][step.kind].params
        for param in params:
            if step.param is not None and abs(param - step.param) == 1:
                mutants.append(replace(spec, steps=(*before, Step(step.kind, param), *after)))
    return mutants


def _input(family: Family, rng: Random) -> Any:
    match family:
        case "list":
            return [rng.randint(-9, 20) for _ in range(rng.randint(3, 9))]
        case "int":
            return rng.randint(-60, 240)
        case "string":
            return "".join(rng.choice("aeiouAEIOUbcdfgmnrstxyzBCDFGMT0123-_") for _ in range(rng.randint(4, 12)))
