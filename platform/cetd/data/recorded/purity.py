"""The verdict that a function is pure, from the text of all that it reaches.

Conservative: what is not known to be pure is refused, with the reason. Pure is what reads nothing but its arguments
and changes nothing that outlives the call; so only modules and builtins of the lists below may be used. What a text
cannot show (an order that depends on hashes, a hidden alias of a module's list) is left to the recording, which runs
every call twice.
"""

from __future__ import annotations

import ast
import builtins
import importlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from types import ModuleType

from cetd.data.recorded.definitions import Definition, Function, base_name

PURE_MODULES = frozenset(
    {
        *("__future__", "abc", "base64", "binascii", "bisect", "cmath", "collections", "collections.abc", "colorsys"),
        *("copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fnmatch", "fractions", "functools"),
        *("graphlib", "hashlib", "heapq", "html", "html.entities", "ipaddress", "itertools", "json", "keyword", "math"),
        *("numbers", "operator", "re", "sre_constants", "statistics", "string", "stringprep", "struct", "textwrap"),
        *("token", "typing", "typing_extensions", "unicodedata", "urllib.parse", "zlib"),
    }
)
# Of other modules, the names that are pure.
PURE_NAMES = {
    "_collections_abc": {"Mapping", "Sequence", "Set"},
    "contextlib": {"nullcontext", "suppress"},
    "genericpath": {"_check_arg_types", "_splitext", "commonprefix"},
    "io": {"BytesIO", "StringIO"},
    "os": {"PathLike", "fspath"},
    "sys": {"float_info", "maxsize", "maxunicode"},
    "types": {"GenericAlias", "MappingProxyType", "SimpleNamespace"},
}
IMPURE_BUILTINS = frozenset(
    {
        *("__import__", "__build_class__", "__loader__", "__spec__", "breakpoint", "compile", "copyright", "credits"),
        *("delattr", "dir", "eval", "exec", "exit", "globals", "hash", "help", "id", "input", "license", "locals"),
        *("open", "print", "quit", "setattr", "vars"),
    }
)
# Attributes of pure modules and of builtins that read the clock, or lead out of the program.
IMPURE_ATTRIBUTES = frozenset(
    {
        *("__builtins__", "__code__", "__dict__", "__globals__", "__loader__", "__subclasses__", "file_digest"),
        *("fromtimestamp", "now", "seed", "today", "utcnow"),
    }
)
MUTATORS = frozenset(
    name
    for kind in (list, dict, set, deque, OrderedDict)
    for name in dir(kind)
    if not name.startswith("_")
    and name not in {"copy", "count", "get", "index", "items", "keys", "values"}
    and not hasattr(frozenset, name)
)


def impurity(definitions: list[Definition], name: str) -> str | None:
    """Why the function ``name``, with the definitions that it needs, is not pure; None where it is."""
    bound = frozenset(bound for each in definitions for bound in each.binds)
    modules = _modules(definitions)
    for each in definitions:
        if isinstance(each.node, Function) and name in each.binds and (reason := _generator(each.node)):
            return reason
        reason = _import(each.node) or _unknown(each, bound) or _code(each, bound, modules)
        if reason:
            return reason
    return None


def _generator(function: Function) -> str | None:
    """A generator's result is no plain data, and may have no end."""
    if isinstance(function, ast.AsyncFunctionDef):
        return "is asynchronous"
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return "is a generator"
        if not isinstance(node, (*Function.__args__, ast.Lambda, ast.ClassDef)):
            pending += ast.iter_child_nodes(node)
    return None


def _import(node: ast.AST) -> str | None:
    match node:
        case ast.Import(names):
            wrong = [alias.name for alias in names if alias.name not in PURE_MODULES | set(PURE_NAMES)]
        case ast.ImportFrom(module, names, 0) if module:
            wrong = [f"{module}.{alias.name}" for alias in names if not _is_pure(module, alias.name)]
        case ast.ImportFrom(module, _, level):
            return f"imports from its own package: {'.' * level}{module or ''}"
        case _:
            return None
    return f"imports {wrong[0]}" if wrong else None


def _is_pure(module: str, name: str) -> bool:
    if name == "*":
        return False
    return module in PURE_MODULES or f"{module}.{name}" in PURE_MODULES or name in PURE_NAMES.get(module, ())


def _unknown(definition: Definition, bound: frozenset[str]) -> str | None:
    for name in sorted(definition.reads - bound):
        if not hasattr(builtins, name):
            return f"reads {name}, which the module does not bind"
        if name in IMPURE_BUILTINS:
            return f"uses {name}"
    return None


def _modules(definitions: list[Definition]) -> dict[str, str]:
    """The modules that names stand for, on whatever level they are imported."""
    found = {}
    for each in definitions:
        for node in ast.walk(each.node):
            for alias in node.names if isinstance(node, ast.Import) else ():
                name = alias.asname or alias.name.split(".")[0]
                found[name] = alias.name if alias.asname else name
    return found


def _code(definition: Definition, bound: frozenset[str], modules: dict[str, str]) -> str | None:
    named = {
        node.value
        for node in ast.walk(definition.node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.attr in PURE_NAMES.get(modules.get(node.value.id, ""), ())
    }
    for node in ast.walk(definition.node):
        if node not in named and (reason := _node(node, modules)):
            return reason
    for function in _functions(definition.node):
        for name in _changed(function):
            if name in bound & definition.reads:
                return f"changes the module's {name}"
    return None


def _node(node: ast.AST, modules: dict[str, str]) -> str | None:
    reason = None
    match node:
        case ast.Attribute(attr=attribute) if attribute in IMPURE_ATTRIBUTES:
            reason = f"uses {attribute}"
        case ast.Attribute(ast.Name(name), attribute) if modules.get(name) in PURE_MODULES:
            reason = f"uses {name}.{attribute}" if _leads_out(modules[name], attribute) else None
        case ast.Name(name) if modules.get(name) in PURE_NAMES:
            reason = f"uses more of {modules[name]} than is known to be pure"
        case ast.Global(names) | ast.Nonlocal(names):
            reason = f"writes {', '.join(names)} of an outer scope"
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            reason = "reaches asynchronous code"
        case ast.Import() | ast.ImportFrom():
            reason = _import(node)
        case _:
            pass
    return reason


def _leads_out(module: str, attribute: str) -> bool:
    """Whether a name of a pure module is a module that it happens to import, as ``enum.sys`` is."""
    value = getattr(importlib.import_module(module), attribute, None)
    return isinstance(value, ModuleType) and value.__name__ not in PURE_MODULES


def _functions(node: ast.AST) -> Iterator[ast.AST]:
    return (inner for inner in ast.walk(node) if isinstance(inner, (*Function.__args__, ast.Lambda)))


def _changed(function: ast.AST) -> Iterator[str]:
    """Names whose objects the code of a function changes."""
    for node in ast.walk(function):
        match node:
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield base_name(node)
            case ast.Call(ast.Attribute(target, method)) if method in MUTATORS:
                yield base_name(target)
            case _:
                continue
