"""Phase 2, context transformation: poor contexts of code, and the structured requirements that excellent ones would be.

A unit is a function or class, or a whole small file; it has rows at a few severities (:mod:`poor`). The target holds
what the real source says (:mod:`excellent`), names and documentation included: at higher severities the input no longer
has all of it, and what a model makes of the rest is what is learned and measured.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pyarrow as pa

from cetd.config.phases import Phase2Config
from cetd.data.corpus.document import Document
from cetd.data.phases.blurring import imported
from cetd.data.phases.definitions import Definition, Module, code_of, encodable, is_test, modules
from cetd.data.phases.excellent import FUNCTIONAL, Items, excellent, merged
from cetd.data.phases.poor import Part, poor
from cetd.data.phases.qualities import aliases
from cetd.data.phases.requirement import sentences, summary
from cetd.data.phases.sections import sections, written
from cetd.data.phases.usage import from_tests
from cetd.seeds import derive

phase2_schema = pa.schema(
    [
        *((name, pa.string()) for name in ("input", "target", "repository", "path", "symbol")),
        ("severity", pa.int32()),
        ("sections", pa.string()),  # JSON: items by structure token, those of the target
    ]
)


@dataclass(frozen=True)
class Unit:
    """What a row is about: its source, and the items of its requirements."""

    part: Part
    symbol: str
    items: Items


def phase2_rows(documents: Sequence[Document], config: Phase2Config, seed: int) -> list[dict[str, Any]]:
    """Rows of ``phase2_schema`` from the documents of one repository. Tests give examples and no units."""
    parsed = modules(documents)
    code = [module for module in parsed if not is_test(module.document.path)]
    examples = _unambiguous(from_tests(parsed), code)
    units = [unit for module in code for unit in _units(module, examples, config)]
    parts = [part for module in code for part in _parts(module, config)]
    rows: list[dict[str, Any]] = []
    for unit in units:
        random = Random(derive("phase2", seed, documents[0].repository, unit.part.path, unit.symbol))
        count = min(config.rows_per_unit, len(set(config.severities)))
        for severity in sorted(random.sample(sorted(set(config.severities)), count)):
            noise = _noise(unit.part, parts, config.noise_sections, random) if severity >= 3 else []
            context = poor(unit.part, noise, severity, config, random)
            if context is not None:
                rows.append(_row(documents[0].repository, unit, severity, context, config))
    return [row for row in rows if row["target"]]


def _units(module: Module, examples: Mapping[str, list[str]], config: Phase2Config) -> list[Unit]:
    known = aliases(module.tree)
    described = {
        one.symbol: excellent(one, _methods(one, module), known, examples.get(one.name, []), config.max_examples)
        for one in module.definitions
    }
    if config.unit == "file":
        return _file_unit(module, described, config)
    parts = {part.name: part for part in _parts(module, config)}
    units = []
    for one in module.top_level:
        told = bool(summary(one.docstring)) or not config.require_docstring
        if told and one.name in parts and parts[one.name].source == "\n".join(one.lines):
            units.append(Unit(parts[one.name], one.symbol, described[one.symbol]))
    return units


def _file_unit(module: Module, described: Mapping[str, Items], config: Phase2Config) -> list[Unit]:
    text = module.document.text
    code = code_of(module.tree)
    said = sentences(summary(module.docstring))[:1]
    if not code or not module.top_level or len(text) > config.max_unit_chars or (config.require_docstring and not said):
        return []
    part = Part(module.document.path, "", text, code, frozenset(imported(module.tree)))
    items = merged(
        [{FUNCTIONAL: [encodable(one) for one in said]}, *(described[one.symbol] for one in module.top_level)]
    )
    return [Unit(part, "", items)]


def _parts(module: Module, config: Phase2Config) -> list[Part]:
    """The functions and classes at the top of a module that are no longer than a unit may be, the first of a name."""
    names = frozenset(imported(module.tree))
    found: dict[str, Part] = {}
    for one in module.top_level:
        source, code = "\n".join(one.lines), code_of(one.node)
        if code and len(source) <= config.max_unit_chars and one.name not in found:
            found[one.name] = Part(module.document.path, one.name, source, code, names)
    return list(found.values())


def _methods(definition: Definition, module: Module) -> list[Definition]:
    """The definitions right below a class."""
    depth = definition.symbol.count(".") + 1
    prefix = f"{definition.symbol}."
    return [one for one in module.definitions if one.symbol.startswith(prefix) and one.symbol.count(".") == depth]


def _noise(unit: Part, parts: Sequence[Part], count: int, random: Random) -> list[Part]:
    """Other code: of other files where there is any."""
    elsewhere = [part for part in parts if part.path != unit.path]
    others = elsewhere or [part for part in parts if part.name != unit.name]
    return random.sample(others, min(count, len(others)))


def _unambiguous(examples: Mapping[str, list[str]], code: Sequence[Module]) -> dict[str, list[str]]:
    """Examples of names that one definition of the repository has: a test tells no two of them apart."""
    names = Counter(one.name for module in code for one in module.definitions)
    return {name: shown for name, shown in examples.items() if names[name] == 1}


def _row(repository: str, unit: Unit, severity: int, context: str, config: Phase2Config) -> dict[str, Any]:
    target = written(unit.items, config.max_target_chars)
    return {
        "input": encodable(context),
        "target": target,
        "repository": encodable(repository),
        "path": encodable(unit.part.path),
        "symbol": unit.symbol,
        "severity": severity,
        "sections": json.dumps(sections(target), ensure_ascii=False),
    }
