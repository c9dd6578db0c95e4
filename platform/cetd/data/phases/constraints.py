"""What a function insists on: exceptions with their guarding condition, assertions, defaults."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cetd.data.phases.definitions import Function, code_of

_LONGEST = 100


def constraints(node: Function) -> list[str]:
    """Such as "raises ValueError when width <= 0", "requires width > 0", "width defaults to 70"; each once."""
    return list(dict.fromkeys([*_refusals(node), *_defaults(node)]))


def _refusals(node: Function) -> Iterator[str]:
    """Raises and asserts in the order of the source; nested functions' are their own."""
    stack: list[tuple[ast.stmt, str]] = [(statement, "") for statement in reversed(node.body)]
    while stack:
        statement, guard = stack.pop()
        match statement:
            case ast.Raise(exc=ast.expr() as raised):
                name = _exception(raised)
                if name:
                    yield f"raises {name}{guard}"
            case ast.Assert(test):
                if said := _said(test):
                    yield f"requires {said}"
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case ast.If(test, body, orelse):
                stack += [(one, _when(ast.UnaryOp(ast.Not(), test), guard)) for one in reversed(orelse)]
                stack += [(one, _when(test, guard)) for one in reversed(body)]
            case ast.Try(body, handlers, orelse, finalbody):
                stack += [(one, guard) for one in reversed([*body, *orelse, *finalbody])]
                for handler in handlers:
                    caught = code_of(handler.type) if handler.type else "any exception"
                    stack += [(one, f" when {caught} is caught"[:_LONGEST]) for one in reversed(handler.body)]
            case _:
                inner = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
                inner += [
                    one
                    for child in ast.iter_child_nodes(statement)
                    if isinstance(child, ast.match_case)
                    for one in child.body
                ]
                stack += [(one, guard) for one in reversed(inner)]


def _when(test: ast.expr, outer: str) -> str:
    said = _said(_simplified(test))
    return f" when {said}" if said else outer


def _simplified(test: ast.expr) -> ast.expr:
    """``not not x`` is x, ``not a in b`` is a not in b."""
    match test:
        case ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), inner)):
            return inner
        case ast.UnaryOp(ast.Not(), ast.Compare(left, [operator], [right])) if type(operator) in _OPPOSITE:
            return ast.Compare(left, [_OPPOSITE[type(operator)]()], [right])
        case _:
            return test


_PAIRS = [(ast.In, ast.NotIn), (ast.Is, ast.IsNot), (ast.Eq, ast.NotEq), (ast.Lt, ast.GtE), (ast.Gt, ast.LtE)]
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = dict(_PAIRS) | {after: before for before, after in _PAIRS}


def _exception(raised: ast.expr) -> str | None:
    """The name of what is raised; None where it is a variable."""
    name = code_of(raised.func if isinstance(raised, ast.Call) else raised) or ""
    last = name.rpartition(".")[2]
    return name if last[:1].isupper() and last.isidentifier() and name.replace(".", "").isidentifier() else None


def _defaults(node: Function) -> Iterator[str]:
    positional = [*node.args.posonlyargs, *node.args.args]
    given = node.args.defaults
    pairs = list(zip(positional[len(positional) - len(given) :], given, strict=True))
    pairs += [(name, value) for name, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    for argument, value in pairs:
        if said := _said(value):
            yield f"{argument.arg} defaults to {said}"


def _said(expression: ast.expr) -> str | None:
    """Code short enough to stand in a line of prose."""
    text = code_of(expression)
    return text if text and len(text) <= _LONGEST and "\n" not in text else None
