"""Examples of use, read and never run: what doctests and a repository's tests say that calls return or raise."""

from __future__ import annotations

import ast
import doctest
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from cetd.data.phases.definitions import Module, code_of, is_test, parsed

_LONGEST = 100
_TRUTHS = {"assertTrue": "True", "assertFalse": "False", "assertIsNone": "None"}


def from_docstring(docstring: str, name: str) -> list[str]:
    """The doctests' one-line calls of ``name`` with what they show, such as "wrap('a b', 1) returns ['a', 'b']"."""
    try:
        shown = doctest.DocTestParser().get_examples(docstring)
    except ValueError:  # a docstring that doctest cannot read has no examples
        return []
    found = []
    for example in shown:
        tree, want = parsed(example.source), " ".join(example.want.split())
        match tree:
            case ast.Module([ast.Expr(ast.Call() as call)]) if want and _called(call) == name:
                found += _example(call, want if not example.exc_msg else None, example.exc_msg)
            case _:
                pass
    return found


def from_tests(modules: Sequence[Module]) -> Mapping[str, list[str]]:
    """Examples by the name of the function, from the test files among ``modules``: assert and unittest's methods."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for module in modules:
        if is_test(module.document.path):
            for name, example in _asserted(module.tree):
                found[name][example] = None
    return {name: list(examples) for name, examples in found.items()}


def _asserted(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Assert(ast.Compare(ast.Call() as call, [ast.Eq() | ast.Is()], [expected])):
                yield from _literal_example(call, expected)
            case ast.Call(
                ast.Attribute(ast.Name("self"), "assertEqual" | "assertIs"), [ast.Call() as call, expected, *_]
            ):
                yield from _literal_example(call, expected)
            case ast.Call(ast.Attribute(ast.Name("self"), method), [ast.Call() as call]) if method in _TRUTHS:
                yield from ((_called(call), one) for one in _example(call, _TRUTHS[method]) if _is_literal(call))
            case ast.Call(ast.Attribute(ast.Name("self"), "assertRaises"), [ast.Name(raised), function, *arguments]):
                call = ast.Call(function, arguments, node.keywords)
                yield from ((_called(call), one) for one in _example(call, None, raised) if _is_literal(call))
            case _:
                pass


def _literal_example(call: ast.Call, expected: ast.expr) -> Iterator[tuple[str, str]]:
    if _is_literal(call) and _is_value(expected):
        yield from ((_called(call), one) for one in _example(call, code_of(expected)))


def _example(call: ast.Call, returned: str | None, raised: str | None = None) -> list[str]:
    """At most one: the call by its bare name, and what became of it."""
    shown = code_of(ast.Call(ast.Name(_called(call)), call.args, call.keywords))
    outcome = f"raises {raised.split(':')[0].strip()}" if raised else f"returns {returned}"
    text = f"{shown} {outcome}"
    return [text] if shown and (raised or returned) and len(text) <= _LONGEST and "\n" not in text else []


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _is_literal(call: ast.Call) -> bool:
    return bool(_called(call)) and all(map(_is_value, [*call.args, *(keyword.value for keyword in call.keywords)]))


def _is_value(expression: ast.expr) -> bool:
    """Whether an expression is a literal, containers of literals among them: nothing that a test computes."""
    try:
        ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
