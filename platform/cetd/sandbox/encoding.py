"""Values as tagged bytes: all that crosses between a judge and a candidate.

Plain data crosses by value: None, bool, int, float (bit for bit), str, bytes, list, tuple, dict, set, frozenset, and
complex, Decimal, Fraction, dates and times, range, deque. Subclasses of those are sent as their base. Anything else
crosses as a reference, which the ``refer`` and ``resolve`` of the two ends turn into plain data and back; without them
it is refused. Decoding builds exact builtin types, so nothing that arrives carries code: no pickle, no eval. Size and
depth are bounded on both ways; a value outside of that, or bytes that were not made here, raise EncodingError.
Runs inside the sandbox too: standard library only.
"""

from __future__ import annotations

import datetime
import struct
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_BYTES = 4 << 20
MAX_DEPTH = 100

_COUNT = struct.Struct("<cI")
_FLOAT = struct.Struct("<cd")
_REFERENCE, _RICH = b"R", b"x"
_CONTAINERS: dict[bytes, Callable[[list[Any]], Any]] = {b"l": list, b"t": tuple, b"S": set, b"z": frozenset}
_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"z"}
_SCALARS = frozenset({type(None), bool, int, float, str, bytes, bytearray})
_SINGLES = {None: b"N", True: b"T", False: b"F"}
_UNKNOWN = object()
# The other plain types: what each is made of, and how it is made again.
_PARTS: dict[type, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    complex: ("complex", lambda value: (value.real, value.imag)),
    Decimal: ("decimal", lambda value: (str(value),)),
    Fraction: ("fraction", lambda value: (value.numerator, value.denominator)),
    datetime.datetime: ("datetime", lambda value: (value.isoformat(), value.fold)),
    datetime.date: ("date", lambda value: (value.isoformat(),)),
    datetime.time: ("time", lambda value: (value.isoformat(), value.fold)),
    datetime.timedelta: ("timedelta", lambda value: (value.days, value.seconds, value.microseconds)),
    range: ("range", lambda value: (value.start, value.stop, value.step)),
    deque: ("deque", lambda value: (list(value), value.maxlen)),
}
_MADE: dict[str, Callable[..., Any]] = {
    "complex": complex,
    "decimal": Decimal,
    "fraction": Fraction,
    "datetime": lambda text, fold: datetime.datetime.fromisoformat(text).replace(fold=fold),
    "date": datetime.date.fromisoformat,
    "time": lambda text, fold: datetime.time.fromisoformat(text).replace(fold=fold),
    "timedelta": datetime.timedelta,
    "range": range,
    "deque": deque,
}

# A value that has no plain form -> plain data that stands for it, or None; and back.
Refer = Callable[[Any], "tuple[Any, ...] | None"]
Resolve = Callable[["tuple[Any, ...]"], Any]


class EncodingError(ValueError):
    """A value that is not plain data or too large, or bytes that do not decode."""


def encode(value: object, max_bytes: int = MAX_BYTES, refer: Refer | None = None) -> bytes:
    """Bytes of a value; ``refer`` is asked first about what is not of an exactly plain type.

    Raises:
        EncodingError: a type outside the closed set, nesting beyond MAX_DEPTH, or more than ``max_bytes``.
    """
    out = bytearray()
    _encode(value, out, max_bytes, MAX_DEPTH, refer)
    if len(out) > max_bytes:
        raise EncodingError(f"the value takes more than {max_bytes} bytes")
    return bytes(out)


def decode(data: bytes, resolve: Resolve | None = None) -> Any:
    """The value of ``data``, in exact builtin types and what ``resolve`` makes of references.

    Raises:
        EncodingError: bytes that :func:`encode` did not make.
    """
    if len(data) > MAX_BYTES:
        raise EncodingError(f"{len(data)} bytes exceed the limit of {MAX_BYTES}")
    try:
        value, end = _decode(data, 0, MAX_DEPTH, resolve)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError) as error:  # TypeError: an unhashable key
        raise EncodingError(f"malformed data: {error}") from None
    if end != len(data):
        raise EncodingError(f"{len(data) - end} bytes are left over")
    return value


def _encode(value: Any, out: bytearray, max_bytes: int, depth: int, refer: Refer | None) -> None:
    if depth == 0:
        raise EncodingError(f"the value nests deeper than {MAX_DEPTH}")
    if len(out) > max_bytes:  # here, and not only at the end: shared parts can unfold without bound
        raise EncodingError(f"the value takes more than {max_bytes} bytes")
    kind = type(value)
    if kind in _SEQUENCES:
        _encode_sequence(kind, value, out, max_bytes, depth, refer)
    elif kind in _SCALARS:
        _encode_scalar(kind, value, out, max_bytes)
    elif kind is dict:
        _encode_dict(value, out, max_bytes, depth, refer)
    elif kind in _PARTS:
        name, parts = _PARTS[kind]
        out += _RICH
        _encode((name, *parts(value)), out, max_bytes, depth - 1, refer)
    elif refer is not None and (reference := refer(value)) is not None:
        out += _REFERENCE
        _encode(reference, out, max_bytes, depth - 1, refer)
    else:
        _encode_subclass(kind, value, out, max_bytes, depth, refer)


def _encode_subclass(kind: type, value: Any, out: bytearray, max_bytes: int, depth: int, refer: Refer | None) -> None:
    # By its type's bases: what an object says of its class may be a lie.
    base = next((base for base in kind.__mro__ if base in _SEQUENCES or base in _SCALARS or base is dict), None)
    if base is None:
        raise EncodingError(f"a value of type {kind.__name__} is not plain data")
    if base in _SEQUENCES:
        _encode_sequence(base, value, out, max_bytes, depth, refer)
    elif base is dict:
        _encode_dict(value, out, max_bytes, depth, refer)
    else:
        _encode_scalar(base, value, out, max_bytes)


def _encode_sequence(kind: Any, value: Any, out: bytearray, max_bytes: int, depth: int, refer: Refer | None) -> None:
    out += _COUNT.pack(_SEQUENCES[kind], kind.__len__(value))
    for item in kind.__iter__(value):
        _encode(item, out, max_bytes, depth - 1, refer)


def _encode_dict(value: Any, out: bytearray, max_bytes: int, depth: int, refer: Refer | None) -> None:
    out += _COUNT.pack(b"d", dict.__len__(value))
    for key, item in dict.items(value):
        _encode(key, out, max_bytes, depth - 1, refer)
        _encode(item, out, max_bytes, depth - 1, refer)


def _encode_scalar(kind: type, value: Any, out: bytearray, max_bytes: int) -> None:
    if kind is int:
        if int.bit_length(value) > max_bytes * 8:
            raise EncodingError(f"the value takes more than {max_bytes} bytes")
        _blob(b"i", int.to_bytes(value, int.bit_length(value) // 8 + 1, "little", signed=True), out)
    elif kind is str:
        _blob(b"s", str.encode(value, "utf-8", "surrogatepass"), out)
    elif kind is float:
        out += _FLOAT.pack(b"f", value)
    elif kind is bytes or kind is bytearray:
        _blob(b"b", bytes(value), out)
    else:
        out += _SINGLES[value]


def _blob(tag: bytes, data: bytes, out: bytearray) -> None:
    out += _COUNT.pack(tag, len(data))
    out += data


def _decode(data: bytes, at: int, depth: int, resolve: Resolve | None) -> tuple[Any, int]:
    if depth == 0:
        raise EncodingError(f"the data nests deeper than {MAX_DEPTH}")
    tag = data[at : at + 1]
    single = _TAGGED_SINGLES.get(tag, _UNKNOWN)
    if single is not _UNKNOWN:
        return single, at + 1
    if tag == b"f":
        return _FLOAT.unpack_from(data, at)[1], at + _FLOAT.size
    if tag in (_REFERENCE, _RICH):
        parts, end = _decode(data, at + 1, depth - 1, resolve)
        return (_made(parts) if tag == _RICH else _resolved(parts, resolve)), end
    _, count = _COUNT.unpack_from(data, at)
    at += _COUNT.size
    if count > len(data) - at:  # every item takes a byte at least
        raise EncodingError("malformed data: a count exceeds what is left")
    if tag in (b"i", b"s", b"b"):
        return _scalar(tag, data[at : at + count]), at + count
    if tag == b"d":
        mapping = {}
        for _ in range(count):
            key, at = _decode(data, at, depth - 1, resolve)
            mapping[key], at = _decode(data, at, depth - 1, resolve)
        return mapping, at
    if tag not in _CONTAINERS:
        raise EncodingError(f"malformed data: unknown tag {tag!r}")
    items = []
    for _ in range(count):
        item, at = _decode(data, at, depth - 1, resolve)
        items.append(item)
    return _CONTAINERS[tag](items), at


def _scalar(tag: bytes, data: bytes) -> int | str | bytes:
    if tag == b"i":
        return int.from_bytes(data, "little", signed=True)
    return data.decode("utf-8", "surrogatepass") if tag == b"s" else data


def _made(parts: Any) -> Any:
    match parts:
        case (str(name), *arguments) if name in _MADE:
            try:
                return _MADE[name](*arguments)
            except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
                raise EncodingError(f"malformed data: {name}: {error}") from None
    raise EncodingError("malformed data: a value of no known type")


def _resolved(parts: Any, resolve: Resolve | None) -> Any:
    if resolve is None or not isinstance(parts, tuple):
        raise EncodingError("malformed data: a reference where there is none")
    return resolve(parts)


_TAGGED_SINGLES = {tag: value for value, tag in _SINGLES.items()}
