"""The top-level statements of a module, and those that one of its names needs.

Promises: :meth:`Definitions.closure` is enough to run the name alone, in the order of the module, each statement as it
was written. Statements under a condition (``if``, ``try``) are left out, with the names that only they bind: so
``try: from _heapq import *`` leaves the Python functions above it, which are what is wanted.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_CONDITIONAL = (ast.If, ast.Try, ast.TryStar, ast.With, ast.Match)


class UndefinedError(ValueError):
    """A name that the module does not bind, or binds in a way that cannot be taken out of it."""


@dataclass(frozen=True)
class Definition:
    """A statement: the names that it binds, those that it changes in place, and the module's names that it reads."""

    node: ast.stmt
    text: str
    binds: frozenset[str]
    changes: frozenset[str]
    reads: frozenset[str]


class Definitions:
    """The top-level statements of one text.

    Raises:
        SyntaxError: the text is not Python.
    """

    def __init__(self, text: str) -> None:
        statements = [single for node in ast.parse(text).body for single in _split(node)]
        self._conditional = {name for node in statements if isinstance(node, _CONDITIONAL) for name in _stores(node)}
        lines = text.split("\n")
        lazy = any(_is_future(node) and node.names[0].name == "annotations" for node in statements)
        self.all = [
            _definition(text, lines, node, lazy=lazy) for node in statements if not isinstance(node, _CONDITIONAL)
        ]
        self.bound = frozenset(name for definition in self.all for name in definition.binds)

    def functions(self) -> Iterator[Function]:
        """The top-level functions, the last of each name."""
        last = {each.node.name: each.node for each in self.all if isinstance(each.node, Function)}
        yield from last.values()

    def closure(self, name: str) -> list[Definition]:
        """The statements that ``name`` needs, itself included.

        Raises:
            UndefinedError: a name on the way is bound nowhere, or only under a condition.
        """
        needed: set[int] = set()
        known: set[str] = set()
        pending = [name]
        while pending:
            wanted = pending.pop()
            if wanted in known:
                continue
            known.add(wanted)
            found = [index for index, each in enumerate(self.all) if wanted in each.binds | each.changes]
            if not any(wanted in self.all[index].binds for index in found):
                if wanted in self._conditional:
                    raise UndefinedError(f"{wanted} is bound under a condition")
                if not hasattr(builtins, wanted):
                    raise UndefinedError(f"{wanted} is not defined in the module")
            for index in set(found) - needed:
                needed.add(index)
                pending += sorted(self.all[index].reads)
        return [self.all[index] for index in sorted(needed | self._future())]

    def _future(self) -> set[int]:
        return {index for index, each in enumerate(self.all) if _is_future(each.node)}


def program(definitions: list[Definition]) -> str:
    """The text of a module with these statements."""
    parts: list[str] = []
    previous: ast.stmt | None = None
    for each in definitions:
        if previous is not None:
            parts.append(_gap(previous, each.node))
        parts.append(each.text)
        previous = each.node
    return "".join(parts) + "\n"


def _gap(above: ast.stmt, below: ast.stmt) -> str:
    if isinstance(above, _BLOCKS) or isinstance(below, _BLOCKS):
        return "\n\n\n"
    return "\n" if isinstance(above, _IMPORTS) == isinstance(below, _IMPORTS) else "\n\n"


def _split(node: ast.stmt) -> list[ast.stmt]:
    """An import of several names as one statement for each."""
    match node:
        case ast.Import(names):
            return [ast.copy_location(ast.Import([alias]), node) for alias in names]
        case ast.ImportFrom(module, names, level):
            return [ast.copy_location(ast.ImportFrom(module, [alias], level), node) for alias in names]
        case _:
            return [node]


def _is_future(node: ast.stmt) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _definition(text: str, lines: list[str], node: ast.stmt, *, lazy: bool) -> Definition:
    """``lazy``: annotations are never evaluated, so what they name is not needed."""
    if isinstance(node, _IMPORTS):
        (alias,) = node.names
        bound = frozenset({alias.asname or alias.name.split(".")[0]})
        return Definition(node, ast.unparse(node), bound, frozenset(), frozenset())
    segment = _segment(text, lines, node)
    table = symtable.symtable(_without_annotations(segment) if lazy else segment, "definition", "exec")
    binds = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()}
    changes = set() if isinstance(node, _BLOCKS) else _changes(node)
    return Definition(node, segment, frozenset(binds), frozenset(changes - binds), frozenset(_reads(table)))


def _without_annotations(segment: str) -> str:
    tree = ast.parse(segment)
    for node in ast.walk(tree):
        match node:
            case ast.arg():
                node.annotation = None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
            case ast.AnnAssign():
                node.annotation = ast.copy_location(ast.Constant(None), node.annotation)
            case _:
                continue
    return ast.unparse(tree)


def _segment(text: str, lines: list[str], node: ast.stmt) -> str:
    """The statement as it was written: its lines, unless it shares them with another."""
    decorators = getattr(node, "decorator_list", [])
    first = decorators[0].lineno if decorators else node.lineno
    assert node.end_lineno is not None
    rest = lines[node.end_lineno - 1].encode()[node.end_col_offset :].strip()
    if node.col_offset == 0 and (not rest or rest.startswith(b"#")):
        return "\n".join(lines[first - 1 : node.end_lineno])
    return ast.get_source_segment(text, node) or ast.unparse(node)


def _reads(table: symtable.SymbolTable) -> Iterator[str]:
    """Names of the module that the code reads, from every scope in it."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _reads(child)


def _stores(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        match inner:
            case ast.Name(name, ast.Store()) | ast.FunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.alias(name, asname):
                yield asname or name.split(".")[0]
            case _:
                continue


def _changes(node: ast.stmt) -> set[str]:
    """Names whose objects a statement changes: items or attributes set, or methods called for their effect."""
    found: set[str] = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                found.add(base_name(inner))
            case ast.Expr(ast.Call(ast.Attribute() as method)):
                found.add(base_name(method))
            case _:
                continue
    return found - {""}


def base_name(node: ast.AST) -> str:
    """``x`` of ``x.y[0].z``; empty where that does not begin with a name."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
