"""What a function does with its parameters, as far as that tells their kinds: text is split, numbers are divided."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cetd.data.recorded.definitions import Function

_TEXT_METHODS = {name for name in dir(str) if not name.startswith("__")} - set(dir(list)) - set(dir(dict))
_BYTES_METHODS = {name for name in _TEXT_METHODS if name in dir(bytes)}
_ARITHMETIC = (ast.Sub, ast.Div, ast.FloorDiv, ast.Pow, ast.LShift, ast.RShift, ast.Mult)
_SEQUENCES = ("text", "ints", "texts", "bytes")
_TAKES = {
    **dict.fromkeys(("range", "chr", "divmod", "bin", "hex"), ("int",)),
    **dict.fromkeys(("abs", "float", "round"), ("int", "float")),
    **dict.fromkeys(("int", "ord"), ("text",)),
    **dict.fromkeys(("len", "list", "tuple", "enumerate", "sorted", "iter", "reversed", "set"), _SEQUENCES),
    "sum": ("ints", "floats"),
}
_DEPTH = 3  # of helpers that a parameter is handed on to


def kinds_by_use(module: ast.Module, function: Function, parameter: str, depth: int = _DEPTH) -> list[str]:
    """Kinds that the uses of a parameter ask for, the most telling first; empty where none does."""
    found: dict[str, None] = {}
    sequences: dict[str, None] = {}
    for node in ast.walk(function):
        for kind in _kinds(node, parameter):
            # A sequence may be of anything: only where nothing else is known.
            (sequences if kind.startswith("sequence ") else found)[kind.removeprefix("sequence ")] = None
        if depth and isinstance(node, ast.Call):
            for helper, name in _handed_on(module, node, parameter):
                found |= dict.fromkeys(kinds_by_use(module, helper, name, depth - 1))
    return list(found or sequences)


def _kinds(node: ast.AST, name: str) -> Iterator[str]:
    match node:
        case ast.Call(ast.Attribute(ast.Name(target), method)) if target == name and method in _TEXT_METHODS:
            yield "text"
            if method in _BYTES_METHODS:
                yield "bytes"
        case ast.Call(ast.Name(function), [ast.Name(argument), *_]) if argument == name and function in _TAKES:
            kinds = _TAKES[function]
            yield from (f"sequence {kind}" for kind in kinds) if kinds is _SEQUENCES else kinds
        case ast.BinOp(left, operator, right) if _is(left, name) or _is(right, name):
            if isinstance(operator, _ARITHMETIC) or (isinstance(operator, ast.Mod) and _is(left, name)):
                yield "int"
                other = right if _is(left, name) else left
                if isinstance(operator, ast.Div) or (isinstance(other, ast.Constant) and type(other.value) is float):
                    yield "float"
        case ast.Compare(left, _, others) if _is(left, name) or any(_is(other, name) for other in others):
            yield from _compared([left, *others])
        case ast.For(iter=ast.Name(target)) | ast.comprehension(iter=ast.Name(target)) if target == name:
            yield from (f"sequence {kind}" for kind in _SEQUENCES)
        case ast.Subscript(ast.Name(target), ast.Slice()) if target == name:
            yield from (f"sequence {kind}" for kind in _SEQUENCES)
        case _:
            return


def _compared(sides: list[ast.expr]) -> Iterator[str]:
    for side in sides:
        match side:
            case ast.Constant(bool() | None):
                continue
            case ast.Constant(int()):
                yield "int"
            case ast.Constant(float()):
                yield "float"
            case ast.Constant(str()) | ast.Tuple([ast.Constant(str()), *_]):
                yield "text"
            case _:
                continue


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _handed_on(module: ast.Module, call: ast.Call, name: str) -> Iterator[tuple[Function, str]]:
    """Helpers of the module that a call gives the parameter to, with the name that it has there."""
    if not isinstance(call.func, ast.Name):
        return
    for helper in module.body:
        if isinstance(helper, Function) and helper.name == call.func.id:
            names = [argument.arg for argument in (*helper.args.posonlyargs, *helper.args.args)]
            yield from (
                (helper, there) for argument, there in zip(call.args, names, strict=False) if _is(argument, name)
            )
