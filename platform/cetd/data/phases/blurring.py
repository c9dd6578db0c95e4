"""Names blurred: parameters, locals, functions, methods and classes become neutral ones, each name the same everywhere.

Builtins, imports, double-underscore names, attributes that no class here defines, methods that are called as those of
builtin types, ``self`` and ``cls`` stay. The renamed code does what the code did, but where it looks names up in text
(``getattr``, ``locals``, string annotations) or shares them with code elsewhere (keywords, attributes). A name that is
a local in one function and a function elsewhere gets one new name.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence

from cetd.data.phases.definitions import Defined, Function

_KEPT = frozenset(dir(builtins)) | {"self", "cls", "_"}
# A method of such a name cannot be told from that of a builtin type where it is called.
_ATTRIBUTES = {name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind)}


def blurred_names(trees: Sequence[ast.Module], kept: frozenset[str] = frozenset()) -> dict[str, str]:
    """The new name of each name that ``trees`` define: ``v0`` for values, ``f0`` for functions, ``C0`` for classes.

    ``kept`` are names that stay, as what the document imports does.
    """
    taken = {name for tree in trees for node in ast.walk(tree) for name in _identifiers(node)}
    members = {name for tree in trees for name in _members(tree)}
    stays = _KEPT | kept | (members & _ATTRIBUTES) | {name for tree in trees for name in imported(tree)}
    numbers = {"v": 0, "f": 0, "C": 0}
    names: dict[str, str] = {}
    for tree in trees:
        for letter, name in _bindings(tree):
            if name in names or name in stays or name.startswith("__"):
                continue
            while (new := f"{letter}{numbers[letter]}") in taken:
                numbers[letter] += 1
            numbers[letter] += 1
            names[name] = new
    return names


def rename(tree: ast.Module, names: dict[str, str]) -> None:
    """Put the new names into ``tree``, in place."""
    members = _members(tree)
    callables = {node.name for node in ast.walk(tree) if isinstance(node, Defined)}
    foreign = imported(tree)
    changes = [change for node in ast.walk(tree) for change in _changes(node, names, members, callables, foreign)]
    for node, field, value in changes:
        setattr(node, field, value)


def imported(tree: ast.AST) -> set[str]:
    """Names that imports bind, wherever they stand."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _bindings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                yield "f", name
            case ast.ClassDef(name):
                yield "C", name
            case ast.arg(name) | ast.Name(name, ast.Store()):
                yield "v", name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield "v", name
            case ast.MatchMapping(rest=str(name)):
                yield "v", name
            case _:
                pass


def _identifiers(node: ast.AST) -> Iterator[str]:
    for value in vars(node).values():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str):
                yield one


def _members(tree: ast.AST) -> set[str]:
    """Names that class bodies bind: methods and class attributes."""
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        for name in _bound_by(statement)
    }


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, Function | ast.ClassDef):
        yield statement.name
        return
    yield from (
        node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def _changes(
    node: ast.AST, names: dict[str, str], members: set[str], callables: set[str], foreign: set[str]
) -> Iterator[tuple[ast.AST, str, object]]:
    """Fields to set; found before any is set, so that each is judged by the old names."""
    match node:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name) if name in names:
            yield node, "name", names[name]
        case ast.arg(name) if name in names:
            yield node, "arg", names[name]
        case ast.Name(name) if name in names:
            yield node, "id", names[name]
        case ast.Attribute(value, name) if name in members & names.keys() and not _is_name(value, foreign):
            yield node, "attr", names[name]
        case ast.Global(bound) | ast.Nonlocal(bound):
            yield node, "names", [names.get(name, name) for name in bound]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield node, "name", names.get(name, name)
        case ast.MatchMapping(rest=str(name)):
            yield node, "rest", names.get(name, name)
        case _:
            pass
    if isinstance(node, ast.Call) and _name_of(node.func) in callables:
        for keyword in node.keywords:
            if keyword.arg in names:
                yield keyword, "arg", names[keyword.arg]


def _name_of(function: ast.expr) -> str:
    match function:
        case ast.Name(name):
            return name
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _is_name(expression: ast.expr, names: set[str]) -> bool:
    return isinstance(expression, ast.Name) and expression.id in names
