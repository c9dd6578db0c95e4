"""Plain data as tagged bytes: the only values that cross between a judge and a candidate.

Closed to None, bool, int, float (bit for bit), str, bytes, list, tuple, dict, set and frozenset; subclasses are sent as
their plain base. Decoding builds exact builtin types, so nothing that arrives carries code: no pickle, no eval.
Size and depth are bounded on both ways; a value outside of that, or bytes that were not made here, raise EncodingError.
Runs inside the sandbox too: standard library only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

MAX_BYTES = 4 << 20
MAX_DEPTH = 100

_COUNT = struct.Struct("<cI")
_FLOAT = struct.Struct("<cd")
_CONTAINERS: dict[bytes, Callable[[list[Any]], Any]] = {b"l": list, b"t": tuple, b"S": set, b"z": frozenset}
_SEQUENCES: tuple[tuple[type, bytes], ...] = ((list, b"l"), (tuple, b"t"), (set, b"S"), (frozenset, b"z"))
_SINGLES = {None: b"N", True: b"T", False: b"F"}


class EncodingError(ValueError):
    """A value that is not plain data or too large, or bytes that do not decode."""


def encode(value: object, max_bytes: int = MAX_BYTES) -> bytes:
    """Bytes of a plain value.

    Raises:
        EncodingError: a type outside the closed set, nesting beyond MAX_DEPTH, or more than ``max_bytes``.
    """
    out = bytearray()
    _encode(value, out, max_bytes, MAX_DEPTH)
    if len(out) > max_bytes:
        raise EncodingError(f"the value takes more than {max_bytes} bytes")
    return bytes(out)


def decode(data: bytes) -> Any:
    """The value of ``data``, in exact builtin types.

    Raises:
        EncodingError: bytes that :func:`encode` did not make.
    """
    if len(data) > MAX_BYTES:
        raise EncodingError(f"{len(data)} bytes exceed the limit of {MAX_BYTES}")
    try:
        value, end = _decode(data, 0, MAX_DEPTH)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError) as error:  # TypeError: an unhashable key
        raise EncodingError(f"malformed data: {error}") from None
    if end != len(data):
        raise EncodingError(f"{len(data) - end} bytes are left over")
    return value


def _encode(value: Any, out: bytearray, max_bytes: int, depth: int) -> None:
    if depth == 0:
        raise EncodingError(f"the value nests deeper than {MAX_DEPTH}")
    if len(out) > max_bytes:  # here, and not only at the end: shared parts can unfold without bound
        raise EncodingError(f"the value takes more than {max_bytes} bytes")
    for kind, tag in _SEQUENCES:
        if isinstance(value, kind):
            out += _COUNT.pack(tag, len(value))
            for item in kind.__iter__(value):
                _encode(item, out, max_bytes, depth - 1)
            return
    if isinstance(value, dict):
        out += _COUNT.pack(b"d", len(value))
        for key, item in dict.items(value):
            _encode(key, out, max_bytes, depth - 1)
            _encode(item, out, max_bytes, depth - 1)
    else:
        _encode_scalar(value, out, max_bytes)


def _encode_scalar(value: Any, out: bytearray, max_bytes: int) -> None:
    if value is None or value is True or value is False:
        out += _SINGLES[value]
    elif isinstance(value, int):
        if int.bit_length(value) > max_bytes * 8:
            raise EncodingError(f"the value takes more than {max_bytes} bytes")
        _blob(b"i", int.to_bytes(value, int.bit_length(value) // 8 + 1, "little", signed=True), out)
    elif isinstance(value, float):
        out += _FLOAT.pack(b"f", value)
    elif isinstance(value, str):
        _blob(b"s", str.encode(value, "utf-8", "surrogatepass"), out)
    elif isinstance(value, (bytes, bytearray)):
        _blob(b"b", bytes(value), out)
    else:
        raise EncodingError(f"a value of type {type(value).__name__} is not plain data")


def _blob(tag: bytes, data: bytes, out: bytearray) -> None:
    out += _COUNT.pack(tag, len(data))
    out += data


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth == 0:
        raise EncodingError(f"the data nests deeper than {MAX_DEPTH}")
    tag = data[at : at + 1]
    if tag == b"N":
        return None, at + 1
    if tag in (b"T", b"F"):
        return tag == b"T", at + 1
    if tag == b"f":
        return _FLOAT.unpack_from(data, at)[1], at + _FLOAT.size
    _, count = _COUNT.unpack_from(data, at)
    at += _COUNT.size
    if count > len(data) - at:  # every item takes a byte at least
        raise EncodingError("malformed data: a count exceeds what is left")
    if tag in (b"i", b"s", b"b"):
        return _scalar(tag, data[at : at + count]), at + count
    if tag == b"d":
        mapping = {}
        for _ in range(count):
            key, at = _decode(data, at, depth - 1)
            mapping[key], at = _decode(data, at, depth - 1)
        return mapping, at
    if tag not in _CONTAINERS:
        raise EncodingError(f"malformed data: unknown tag {tag!r}")
    items = []
    for _ in range(count):
        item, at = _decode(data, at, depth - 1)
        items.append(item)
    return _CONTAINERS[tag](items), at


def _scalar(tag: bytes, data: bytes) -> int | str | bytes:
    if tag == b"i":
        return int.from_bytes(data, "little", signed=True)
    return data.decode("utf-8", "surrogatepass") if tag == b"s" else data
