"""Mutants of a program: each differs from it in one place, as a slip of the one who wrote it would.

Tests that all pass on a mutant do not say what that place is for. Some mutants equal the original in all that it does;
which ones cannot be known. Messages of exceptions, docstrings, annotations, decorators and code that is switched off
are left alone: tests do not look at them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from cetd.data.recorded.branches import is_dead
from cetd.seeds import derive

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "format_spec", "type_comment"}


@dataclass(frozen=True)
class Mutant:
    """A program that differs from the original on one line."""

    line: int
    change: str
    program: str


@dataclass(frozen=True)
class _Place:
    """Where a node hangs in the tree, and the functions' line that it is in."""

    node: Any
    replace: Callable[[Any], None]
    function: int


def mutants(text: str, lines: set[int] | None, limit: int, seed: int) -> list[Mutant]:
    """At most ``limit`` distinct mutants of the functions that begin on ``lines``, or of all, in the text's order."""
    tree = ast.parse(text)
    places = [place for place in _places(tree, 0) if (place.function if lines is None else place.function in lines)]
    known = {ast.unparse(tree)}
    found: list[Mutant] = []
    for place in places:
        for change, alternative in _alternatives(place.node):
            place.replace(alternative)
            program = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            place.replace(place.node)
            if program not in known and _compiles(program):
                known.add(program)
                found.append(Mutant(place.node.lineno, change, program))
    if len(found) <= limit:
        return found
    chosen = Random(derive("mutants", seed)).sample(range(len(found)), limit)
    return [found[index] for index in sorted(chosen)]


def _compiles(program: str) -> bool:
    """Not all do: a mutant may break out of no loop."""
    try:
        compile(program, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _places(parent: ast.AST, function: int) -> Iterator[_Place]:
    """Nodes that may be mutated, in the order of the text."""
    for name, value in ast.iter_fields(parent):
        if name in _SKIPPED_FIELDS or (isinstance(parent, ast.Assert) and name == "msg"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or _is_docstring(node) or is_dead(node):
                continue
            inner = node.lineno if isinstance(node, ast.FunctionDef) else function
            if isinstance(node, (ast.stmt, ast.expr)):
                yield _Place(node, _replacing(parent, name, index), inner)
            if not isinstance(node, ast.Raise):
                yield from _places(node, inner)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _replacing(parent: ast.AST, name: str, index: int | None) -> Callable[[Any], None]:
    def replace(node: Any) -> None:
        if index is None:
            setattr(parent, name, node)
        else:
            getattr(parent, name)[index] = node

    return replace


def _alternatives(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.stmt():
            yield from _statements(node)
        case ast.Constant(value):
            for other in _constants(value):
                yield f"{value!r} to {other!r}", ast.Constant(other)
        case ast.Compare(left, [operator, *operators], comparators) if type(operator) in _COMPARISONS:
            swapped = _COMPARISONS[type(operator)]
            yield _swap(operator, swapped), ast.Compare(left, [swapped(), *operators], comparators)
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS and not _is_template(left):
            swapped = _OPERATORS[type(operator)]
            yield _swap(operator, swapped), ast.BinOp(left, swapped(), right)
        case ast.BoolOp(operator, values):
            swapped = ast.Or if isinstance(operator, ast.And) else ast.And
            yield _swap(operator, swapped), ast.BoolOp(swapped(), values)
        case ast.UnaryOp(ast.Not() | ast.USub() as operator, operand):
            yield f"without {type(operator).__name__}", operand
        case ast.IfExp(test, body, orelse):
            yield "ways swapped", ast.IfExp(test, orelse, body)
        case ast.Slice(lower, upper, step):
            if lower:
                yield "slice without its start", ast.Slice(None, upper, step)
            if upper:
                yield "slice without its end", ast.Slice(lower, None, step)


def _statements(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.If(test, body, orelse):
            yield "condition negated", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Return(ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "returns None", ast.Return(ast.Constant(None))
        case ast.Break():
            yield "break to continue", ast.Continue()
        case ast.Continue():
            yield "continue to break", ast.Break()
            yield "without continue", ast.Pass()
        case ast.AugAssign() | ast.Raise() | ast.Expr(ast.Call()):
            yield "without the statement", ast.Pass()
        case ast.Assign([ast.Subscript() | ast.Attribute()]):
            yield "without the statement", ast.Pass()


def _constants(value: Any) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1]
        case float():
            return [value + 1]
        case str() | bytes():
            empty = type(value)()
            return [empty] if value else ["x" if isinstance(value, str) else b"x"]
        case _:
            return []


def _is_template(node: ast.expr) -> bool:
    """The left of ``"%d" % x``: other operators on text only raise."""
    return isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))


def _swap(old: ast.AST, new: type[ast.AST]) -> str:
    return f"{type(old).__name__} to {new.__name__}"
