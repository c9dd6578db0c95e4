"""Excellent contexts: the structured requirements of a function or class, by static analysis of its real source."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from cetd.data.phases.constraints import constraints
from cetd.data.phases.definitions import Definition, Function, code_of, encodable
from cetd.data.phases.qualities import api_calls, qualities
from cetd.data.phases.requirement import sentences, summary
from cetd.data.phases.usage import from_docstring

CLASS, FUNCTION, FUNCTIONAL = "<CLASS_DEF>", "<FUNCTION_DEF>", "<FUNCTIONAL_REQ>"
CONSTRAINT, CALL, QUALITY = "<CONSTRAINT>", "<API_CALL>", "<NON_FUNCTIONAL_REQ>"
# What is built comes first: what follows is said of it.
ORDER = (CLASS, FUNCTION, FUNCTIONAL, CONSTRAINT, CALL, QUALITY)
_SENTENCES = 3
_MEMBERS = 12

Items = dict[str, list[str]]


def excellent(
    definition: Definition,
    members: Sequence[Definition],
    known: Mapping[str, str],
    examples: Sequence[str],
    max_examples: int,
) -> Items:
    """Items by structure token.

    Args:
        members: the methods of a class.
        known: qualified names of what the module imports, see :func:`aliases`.
        examples: what tests say of it; doctests of its own come first.
    """
    node = definition.node
    items: Items = {tag: [] for tag in ORDER}
    shown = [*from_docstring(definition.docstring, definition.name), *examples][:max_examples]
    items[FUNCTIONAL] = [*_purposes(definition), *dict.fromkeys(shown)]
    items[CALL], items[QUALITY] = api_calls(node, dict(known)), qualities(node)
    if isinstance(node, Function):
        items[FUNCTION].append(signature(node))
        items[CONSTRAINT] = constraints(node)
    else:
        items[CLASS].append(class_line(node))
        for member in _public(members):
            assert isinstance(member.node, Function)
            items[FUNCTION].append(signature(member.node))
            items[FUNCTIONAL] += [f"{member.name}: {said}" for said in _purposes(member)[:1]]
            items[CONSTRAINT] += [f"{member.name} {said}" for said in constraints(member.node) if "raises" in said]
    return {tag: [encodable(text) for text in dict.fromkeys(texts)] for tag, texts in items.items() if texts}


def signature(node: Function) -> str:
    """The line of a function without ``def``: name, parameters with hints and defaults, what it returns."""
    begins = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {code_of(node.returns)}" if node.returns else ""
    return f"{begins}{node.name}({code_of(node.args) or ''}){returns}"


def class_line(node: ast.ClassDef) -> str:
    """The line of a class without ``class``: its name and its bases."""
    bases = [code_of(base) or "" for base in node.bases]
    return f"{node.name}({', '.join(bases)})" if bases else node.name


def merged(parts: Sequence[Items]) -> Items:
    """The items of several definitions, those of one tag together."""
    together = {tag: [text for part in parts for text in part.get(tag, [])] for tag in ORDER}
    return {tag: list(dict.fromkeys(texts)) for tag, texts in together.items() if texts}


def _purposes(definition: Definition) -> list[str]:
    return sentences(summary(definition.docstring))[:_SENTENCES]


def _public(members: Sequence[Definition]) -> list[Definition]:
    """Methods that users of a class call, its initialiser first among them where it has one."""
    methods = [one for one in members if isinstance(one.node, Function)]
    return [one for one in methods if one.name == "__init__" or not one.name.startswith("_")][:_MEMBERS]
