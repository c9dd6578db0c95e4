"""Poor contexts: a unit's source in graded severities, each with all that the ones below it do.

0 the source as it is; 1 comments and docstrings stripped; 2 names blurred; 3 definitions shuffled, among sections of
other code; 4 truncated.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cetd.config.phases import Phase2Config
from cetd.data.phases.blurring import blurred_names, rename
from cetd.data.phases.definitions import Defined, code_of, parsed


@dataclass(frozen=True)
class Part:
    """A piece of source: as it is, and as normalised code without comments and docstrings. ``name`` is what it defines;
    none of a whole file."""

    path: str
    name: str
    source: str
    code: str
    imported: frozenset[str]  # names that its document imports


def poor(unit: Part, noise: Sequence[Part], severity: int, config: Phase2Config, random: Random) -> str | None:
    """The context of ``unit`` at a severity; the first line says what is asked about. None: it cannot be written."""
    if severity == 0:
        return _context(unit.path, unit.name, [_section(unit.path, unit.source)], config)
    parts, name = [unit, *(noise if severity >= 3 else ())], unit.name
    trees = [tree for part in parts if (tree := parsed(part.code)) is not None]
    if len(trees) < len(parts):
        return None
    if severity >= 2:
        names = blurred_names(trees, frozenset().union(*(part.imported for part in parts)))
        name = names.get(name, name)
        for tree in trees:
            rename(tree, names)
    if severity >= 3:
        for tree in trees:
            shuffle(tree, random)
    texts = [code_of(tree) for tree in trees]
    if any(text is None for text in texts):
        return None
    bodies = [text for text in texts if text is not None]
    if severity >= 4:
        bodies = [truncated(body, config.kept_share, random) for body in bodies]
    shown = [_section(part.path, body) for part, body in zip(parts, bodies, strict=True)]
    random.shuffle(shown)
    return _context(unit.path, name, shown, config)


def shuffle(tree: ast.Module, random: Random) -> None:
    """Give the definitions of a module, and those of each of its classes, another order; what is between them stays."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.Module):
            places = [place for place, statement in enumerate(node.body) if isinstance(statement, Defined)]
            moved = [node.body[place] for place in places]
            random.shuffle(moved)
            for place, statement in zip(places, moved, strict=True):
                node.body[place] = statement


def truncated(text: str, kept_share: float, random: Random) -> str:
    """The first lines of ``text``: from ``kept_share`` of them to all but one, at least one."""
    lines = text.split("\n")
    least = max(1, round(kept_share * len(lines)))
    return "\n".join(lines[: random.randint(least, max(least, len(lines) - 1))])


def _context(path: str, name: str, shown: Sequence[str], config: Phase2Config) -> str:
    asked = f"{path}: {name}" if name else path
    return "\n".join([f"Requirements of {asked}", *shown])[: config.max_input_chars]


def _section(path: str, text: str) -> str:
    return f"# {path}\n{text}"
