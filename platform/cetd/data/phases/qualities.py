"""What code shows of how it works, beside what it computes: calls into imported modules, non-functional qualities."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cetd.data.phases.definitions import Defined, Function, code_of

_DECORATORS = {
    "lru_cache": "remembers the results of earlier calls",
    "cache": "remembers the results of earlier calls",
    "cached_property": "computes its value once and keeps it",
    "contextmanager": "is used as a context manager",
    "asynccontextmanager": "is used as an asynchronous context manager",
    "abstractmethod": "is left to subclasses",
    "singledispatch": "chooses its implementation by the type of its first argument",
    "staticmethod": "needs no instance",
    "classmethod": "is called on the class",
    "property": "is read as an attribute",
    "total_ordering": "instances are ordered",
}
_LOCKS = ("lock", "mutex", "semaphore", "condition")
_METHODS = {
    "__enter__": "is used as a context manager",
    "__aenter__": "is used as an asynchronous context manager",
    "__iter__": "is iterable",
    "__next__": "is an iterator",
    "__call__": "instances are callable",
    "__hash__": "instances are hashable",
    "__lt__": "instances are ordered",
}


def aliases(tree: ast.Module) -> dict[str, str]:
    """The qualified name behind each name that the module imports, in functions too."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            case ast.ImportFrom(module, names, level):
                origin = "." * (level or 0) + (module or "")
                joint = "" if not origin or origin.endswith(".") else "."
                found |= {one.asname or one.name: f"{origin}{joint}{one.name}" for one in names if one.name != "*"}
            case _:
                pass
    return found


def api_calls(node: Defined, known: dict[str, str]) -> list[str]:
    """What of imported modules is called, fully qualified, in the order of the source, each once."""
    calls = sorted(
        (one for one in ast.walk(node) if isinstance(one, ast.Call)), key=lambda one: (one.lineno, one.col_offset)
    )
    names = (_dotted(call.func) for call in calls)
    found = [
        f"{known[first]}{dot}{rest}" for name in names for first, dot, rest in [name.partition(".")] if first in known
    ]
    return list(dict.fromkeys(found))


def qualities(node: Defined) -> list[str]:
    """Non-functional qualities that the code gives evidence of, each once."""
    found = list(_class_qualities(node) if isinstance(node, ast.ClassDef) else _function_qualities(node))
    return list(dict.fromkeys([*_decorated(node), *found]))


def _decorated(node: Defined) -> Iterator[str]:
    for decorator in node.decorator_list:
        call = isinstance(decorator, ast.Call)
        name = _dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")[2]
        if name in _DECORATORS:
            yield _DECORATORS[name]
        if name == "dataclass" and call and "frozen=True" in (code_of(decorator) or ""):
            yield "instances are immutable"


def _function_qualities(node: Function) -> Iterator[str]:
    own = list(_own(node))
    decorated = "contextmanager" in " ".join(_dotted(one) for one in node.decorator_list)
    if any(isinstance(one, ast.Yield | ast.YieldFrom) for one in own) and not decorated:
        yield "yields its results one by one"
    if isinstance(node, ast.AsyncFunctionDef):
        yield "runs asynchronously"
    if any(
        _is_lock(item.context_expr) for one in own if isinstance(one, ast.With | ast.AsyncWith) for item in one.items
    ):
        yield "holds a lock while it works"
    if any(_calls(one, node.name) for one in own):
        yield "calls itself"


def _class_qualities(node: ast.ClassDef) -> Iterator[str]:
    names = {statement.name for statement in node.body if isinstance(statement, Function)}
    yield from (said for name, said in _METHODS.items() if name in names)
    fields = [statement for statement in node.body if isinstance(statement, ast.Assign)]
    if any(isinstance(target, ast.Name) and target.id == "__slots__" for one in fields for target in one.targets):
        yield "instances have a fixed set of attributes"
    for one in ast.walk(node):
        if isinstance(one, ast.With) and any(_is_lock(item.context_expr) for item in one.items):
            yield "holds a lock while it works"


def _own(node: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body without those of functions and classes in it."""
    stack: list[ast.AST] = list(node.body)
    while stack:
        one = stack.pop()
        yield one
        if not isinstance(one, Function | ast.ClassDef | ast.Lambda):
            stack += ast.iter_child_nodes(one)


def _is_lock(expression: ast.expr) -> bool:
    name = _dotted(expression.func if isinstance(expression, ast.Call) else expression).rpartition(".")[2].lower()
    return any(name.strip("_").endswith(lock) for lock in _LOCKS)


def _calls(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Call(ast.Name(called)) | ast.Call(ast.Attribute(ast.Name("self" | "cls"), called)):
            return called == name
        case _:
            return False


def _dotted(expression: ast.expr) -> str:
    """A name with its attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    return ".".join([expression.id, *reversed(parts)]) if isinstance(expression, ast.Name) else ""
