"""The functions of a module that can be apps: pure, self-contained, and with parameters."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from cetd.data.recorded.definitions import Definitions, Function, UndefinedError, program
from cetd.data.recorded.modules import Module, SourceError
from cetd.data.recorded.purity import impurity


@dataclass(frozen=True)
class Candidate:
    """A function that may become an app; ``source`` runs on its own."""

    module: str
    function: str
    signature: str
    source: str

    @property
    def app_id(self) -> str:
        """Unique, and fit for the name of an app, which does not begin with an underscore."""
        return f"{self.module}.{self.function}".lstrip("_")


@dataclass(frozen=True)
class Refused:
    """A function that no app is made of, and why."""

    module: str
    function: str
    reason: str


def candidates(module: Module, *, private: bool, max_lines: int) -> list[Candidate | Refused]:
    """The verdict on each top-level function, by the order of the module.

    ``private``: also those whose names begin with an underscore. ``max_lines``: of the source of an app.

    Raises:
        SourceError: the module's text is not Python.
    """
    try:
        definitions = Definitions(module.text)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        raise SourceError(f"module={module.name}: not Python {error}; choose another module") from None
    return [
        _verdict(module.name, definitions, node, max_lines)
        for node in definitions.functions()
        if not node.name.startswith("__") and (private or not node.name.startswith("_"))
    ]


def _verdict(module: str, definitions: Definitions, node: Function, max_lines: int) -> Candidate | Refused:
    def refused(reason: str) -> Refused:
        return Refused(module, node.name, reason)

    arguments = node.args
    if not (arguments.posonlyargs or arguments.args or arguments.kwonlyargs or arguments.vararg):
        return refused("has no parameters")
    try:
        closure = definitions.closure(node.name)
    except UndefinedError as error:
        return refused(str(error))
    if reason := impurity(closure, node.name):
        return refused(reason)
    text = program(closure)
    if (lines := text.count("\n")) > max_lines:
        return refused(f"needs {lines // 100 * 100} lines and more")
    return Candidate(module, node.name, _signature(node), text)


def _signature(node: Function) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}"
