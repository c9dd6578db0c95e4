"""Signatures of what a module defines, as an app's interface names them."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def signatures(tree: ast.Module, names: Sequence[str]) -> tuple[str, ...]:
    """The signatures of the functions and classes of those names, in the order of their definition.

    A class is shown with what it is made from: ``class Pair(first, second)`` for an ``__init__(self, first, second)``.
    """
    latest = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return tuple(_signature(node) for name, node in latest.items() if name in names)


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        made = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"), None)
        if made is None:
            return f"class {node.name}"
        arguments = ast.arguments(**{**vars(made.args), "args": made.args.args[1:]})
        return f"class {node.name}({ast.unparse(arguments)})"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}"
