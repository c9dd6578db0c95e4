"""From YAML and dotted overrides to a validated tree, and back; errors are one line that names the field."""

from __future__ import annotations

import difflib
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import ValidationError

from cetd.config.section import ConfigError, Section

Root = TypeVar("Root", bound=Section)

_TAGS = ("micro", "folder", "encoder-decoder", "decoder")


def load(root: type[Root], path: Path | None = None, overrides: list[str] | tuple[str, ...] = ()) -> Root:
    """Read YAML from ``path``, apply ``a.b=value`` overrides (values are YAML), and validate.

    A file may name another with ``base: other.yaml`` (relative to itself) and then says only what differs.
    List items are addressed by index: ``llms.0.name=x``.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    tree = read(path) if path else {}
    for override in overrides:
        _apply(tree, override)
    return validate(root, tree)


def validate(root: type[Root], tree: dict[str, Any]) -> Root:
    """Validate a plain tree; see :func:`load` for the error."""
    try:
        return root.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_one_line(root, error)) from None


def dump(config: Section) -> str:
    """The resolved configuration as YAML, for ``config.yaml`` in the run folder."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def describe(root: type[Section], prefix: str = "") -> list[tuple[str, str, str]]:
    """Rows (dotted field, default, description) of the whole tree, for ``--help``."""
    rows: dict[str, tuple[str, str, str]] = {}
    for name, field in root.model_fields.items():
        dotted = f"{prefix}{name}"
        below = [row for section in _sections(field.annotation) for row in describe(section, f"{dotted}.")]
        below += [row for section in _sections_of_items(field.annotation) for row in describe(section, f"{dotted}.N.")]
        shown = "required" if field.is_required() else str(field.get_default(call_default_factory=False))
        for row in below or [(dotted, shown, field.description or "")]:
            rows.setdefault(row[0], row)  # the sections of a union share fields
    return list(rows.values())


def _sections(annotation: Any) -> list[type[Section]]:
    """The sections that a field may hold: one, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return _sections(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [section for member in get_args(annotation) for section in _sections(member)]
    return []


def _sections_of_items(annotation: Any) -> list[type[Section]]:
    return _sections(get_args(annotation)[0]) if get_origin(annotation) is tuple else []


def read(path: Path) -> dict[str, Any]:
    """A YAML file as a plain tree, laid over the file that its ``base`` names; see :func:`load` for the error."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"config={path}: no such file; presets are under configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config={path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config={path}: not YAML: {' '.join(str(error).split())}") from None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"config={path}: expected a mapping of sections, got {type(tree).__name__}")
    base = tree.pop("base", None)
    return _merge(read(path.parent / base), tree) if base else tree


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _apply(tree: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"{override!r} is not an override: write section.field=value, such as loop.group_size=8")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{dotted}={text!r}: the value is not YAML") from None
    *parents, last = dotted.split(".")
    node: Any = tree
    for position, key in enumerate(parents):
        if isinstance(node, list):
            node = node[_index(node, key, dotted)]
        else:
            if node.get(key) is None:
                node[key] = {}
            node = node[key]
        if not isinstance(node, (dict, list)):
            raise ConfigError(f"{dotted}: {'.'.join(parents[: position + 1])} is a value, not a section")
    if isinstance(node, list):
        node[_index(node, last, dotted)] = value
    else:
        node[last] = value


def _index(items: list[Any], key: str, dotted: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise ConfigError(f"{dotted}: {key!r} is no item of a list of {len(items)}: use 0 to {len(items) - 1}")
    return int(key)


def _one_line(root: type[Section], error: ValidationError) -> str:
    first = error.errors()[0]
    # Tags of discriminated unions appear in the location but are not something that a user writes.
    location = [str(part) for part in first["loc"] if part not in _TAGS]
    field, value = ".".join(location), first["input"]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = [row[0] for row in describe(root)]
        near = difflib.get_close_matches(field, known, n=1)
        section = field.rpartition(".")[0]
        siblings = [name for name in known if name.rpartition(".")[0] == section] or known
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(siblings)}"
        return f"{field}: unknown key; {remedy}{more}"
    if first["type"] == "missing":
        return f"{field}: required, but not given{more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{field + ': ' if field else ''}{message}{more}"
    return f"{field}={value!r}: {message[0].lower()}{message[1:]}{more}"
