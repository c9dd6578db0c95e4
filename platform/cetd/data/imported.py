"""What tests import, held against what their app's interface names.

Reconstruction LLMs are given the interface and nothing else of an app: a test that imports more than it names could
not be passed by any program.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence

from cetd.data.app import Interface

_NAME = re.compile(r"\s*(?:(?:async\s+)?def|class)\s+(\w+)|\s*(\w+)\s*(?:[:=]|$)")
_ALWAYS = {"pytest", "_pytest", "__future__"}


def names_of(signatures: Sequence[str]) -> list[str]:
    """The names that signatures such as ``def f(x)``, ``class A`` or ``LIMIT: int`` define.

    Raises:
        ValueError: a signature names nothing.
    """
    names = []
    for signature in signatures:
        found = _NAME.match(signature)
        if not found:
            raise ValueError(
                f"interface.signatures: {signature!r} names nothing; write it as def f(x), class A or X: int"
            )
        names.append(found[1] or found[2])
    return names


def unnamed_imports(
    tests: Mapping[str, str], interface: Interface, source: Collection[str], installed: Collection[str]
) -> Iterator[tuple[str, int, str]]:
    """(path, line, what is wrong) of each import that no program written to the interface can satisfy.

    ``source`` and the keys of ``tests`` are paths; ``installed`` are importable names of the app's requirements.
    """
    named = set(names_of(interface.signatures))
    own = {_module(path) for path in tests} | {path.partition("/")[0] for path in tests if "/" in path}
    own |= {_module(path.rpartition("/")[2]) for path in tests}
    sources = {_module(path).partition(".")[0] for path in source}
    for path, text in sorted(tests.items()):
        if not path.endswith(".py"):
            continue
        tree = ast.parse(text)
        for line, module, name in _imports(tree, interface.module):
            top = module.partition(".")[0]
            if module == interface.module:
                if name not in (None, "*") and name not in named:
                    yield path, line, f"{name} is used of {module}, and its interface names {', '.join(sorted(named))}"
            elif top in own or top in sys.stdlib_module_names or top in installed or top in _ALWAYS:
                continue
            elif top in sources:
                yield path, line, f"imports the source {module}, and the interface is of {interface.module}"
            else:
                yield path, line, f"imports {top}, which is no test, nor in the standard library or the requirements"


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(tree: ast.Module, interface: str) -> Iterator[tuple[int, str, str | None]]:
    """(line, module, name of it that is used)."""
    known_as: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
                if alias.name == interface:
                    known_as.add(alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, node.module, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known_as:
            yield node.lineno, interface, node.attr
