"""Functions and classes of Python documents: parsed, never run, and never an error whatever the text."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cetd.data.corpus.document import Document

Function = ast.FunctionDef | ast.AsyncFunctionDef
Defined = Function | ast.ClassDef
_TEST_FILE = re.compile(r"^(test_.*|.*_test|tests?|conftest)\.py$")


@dataclass(frozen=True)
class Definition:
    """A function, method or class of a module. ``node`` has lost its docstrings; ``lines`` are its source's, with them.

    ``symbol`` is the qualified name in its module, such as ``TextWrapper.wrap``.
    """

    path: str
    symbol: str
    node: Defined
    docstring: str
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)


@dataclass(frozen=True)
class Module:
    """A parsed document. ``tree`` has no docstrings; ``definitions`` are in the order of the source, nested ones in
    functions left out."""

    document: Document
    tree: ast.Module
    docstring: str
    definitions: tuple[Definition, ...]

    @property
    def top_level(self) -> list[Definition]:
        return [one for one in self.definitions if "." not in one.symbol]


def modules(documents: Sequence[Document]) -> list[Module]:
    """The Python documents that can be parsed, in the order of their paths."""
    ordered = sorted(documents, key=lambda document: document.path)
    return [module for document in ordered if (module := _module(document)) is not None]


def is_test(path: str) -> bool:
    """Whether a path is that of a test, by the customs of pytest and unittest."""
    parts = PurePosixPath(path).parts
    return any(part in ("test", "tests") for part in parts[:-1]) or bool(parts and _TEST_FILE.match(parts[-1]))


def parsed(text: str) -> ast.Module | None:
    """The syntax tree; None where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in other people's strings
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deeply
            return None


def code_of(node: ast.AST) -> str | None:
    """Normalised code: no comments, one way of writing; None where Python 3.11 cannot write it (some f-strings)."""
    try:
        return ast.unparse(node)
    except (ValueError, RecursionError):
        return None


def encodable(text: str) -> str:
    """``text`` with what UTF-8 cannot hold (lone surrogates, from escapes in literals) as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _module(document: Document) -> Module | None:
    if document.language.lower() != "python":
        return None
    text = document.text.replace("\r\n", "\n").replace("\r", "\n")  # the line ends that Python's parser counts
    tree = parsed(text)
    if tree is None:
        return None
    lines = text.split("\n")
    docstring = ast.get_docstring(tree) or ""
    found = [
        Definition(document.path, symbol, node, ast.get_docstring(node) or "", _lines(node, lines))
        for symbol, node in _definitions(tree)
    ]
    _strip_docstrings(tree)
    return Module(document, tree, docstring, tuple(found))


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Defined]]:
    """Functions and classes of the module and of its classes, under conditions too, each once."""
    stack: list[tuple[str, ast.AST]] = [("", tree)]
    while stack:
        prefix, node = stack.pop()
        if isinstance(node, Defined):
            prefix = f"{prefix}{node.name}"
            yield prefix, node
            prefix += "."
        if isinstance(node, ast.ClassDef | ast.Module | ast.If | ast.Try | ast.With):
            stack += [(prefix, child) for child in reversed(list(ast.iter_child_nodes(node)))]


def _lines(node: Defined, lines: Sequence[str]) -> tuple[str, ...]:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    column = node.col_offset
    # Lines of a text literal may begin further left.
    return tuple(line[column:] if not line[:column].strip() else line for line in lines[first - 1 : node.end_lineno])


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, Defined | ast.Module) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 or isinstance(node, ast.Module) else [ast.Pass()]
