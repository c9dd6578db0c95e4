"""Functions as the tests write them."""

import ast


def function(text: str) -> ast.FunctionDef:
    """The last statement of ``text``, which is a function."""
    node = ast.parse(text).body[-1]
    assert isinstance(node, ast.FunctionDef)
    return node
