"""API keys: who may call. A key is shown once, when it is made; what is kept is its digest.

The digest is a plain SHA-256, and that is right here: salts and slow hashes protect what people choose against
dictionaries of it, and of 256 random bits there is no dictionary to try. The file is replaced in one step, by one
process at a time, and is for its owner's eyes only.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from cetd import durable
from cetd.config.section import Name, Positive, Section

log = logging.getLogger(__name__)

PREFIX = "cetd-"
# As create() makes them, wherever one stands in a text.
PATTERN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class Key(Section):
    """What is kept of a key."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: str
    admin: bool = False
    requests_per_minute: Positive | None = None
    revoked: str | None = None


_NAME = TypeAdapter(Name)
_KEYS = TypeAdapter(dict[Name, Key])

# Modification time, size and inode of a file; None where there is none.
Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class Holder:
    """Whose key was presented."""

    name: str
    admin: bool
    requests_per_minute: int | None


@dataclass(frozen=True)
class KeyRing:
    """The keys of a file, as they were at one time."""

    path: Path
    keys: Mapping[str, Key]
    stamp: Stamp

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """The keys at ``path``: none where there is no file, so that nobody may call until one is made.

        Raises:
            ValueError: the file is not one that :func:`create` wrote.
        """
        try:
            with path.open("rb") as file:
                # Of the open file: another may take its place meanwhile.
                stamp = _stamp(os.fstat(file.fileno()))
                text = file.read()
        except FileNotFoundError:
            return cls(path, {}, None)
        try:
            return cls(path, _KEYS.validate_json(text, strict=True), stamp)
        except ValidationError as error:
            # What is wrong with it, but not its content.
            field = "".join(f"{part}: " for part in error.errors()[0]["loc"])
            message = error.errors()[0]["msg"]
            raise ValueError(
                f"keys={path}: {field}{message}; correct it, or remove the file and make keys with jobs.keys"
            ) from None

    def refreshed(self) -> KeyRing:
        """The ring as the file has it now; itself where the file is the same, which takes one look at its status.

        A file that cannot be read any more leaves the keys as they were and is said in the log, once.
        """
        try:
            now = _stamp(self.path.stat())
        except FileNotFoundError:
            now = None
        if now == self.stamp:
            return self
        try:
            return KeyRing.load(self.path)
        except (ValueError, OSError) as error:
            log.error("API keys stay as they were: %s", error)
            return replace(self, stamp=now)

    def holder(self, presented: str) -> Holder | None:
        """Whose key this is, unless it was revoked; takes as long whichever key it is, or none."""
        digest, found = _digest(presented), None
        for name, key in self.keys.items():
            if hmac.compare_digest(key.sha256, digest) and key.revoked is None:
                found = Holder(name, key.admin, key.requests_per_minute)
        return found


def create(path: Path, name: str, admin: bool, rpm: int | None) -> str:
    """Make a key for ``name`` and return it: it is kept nowhere. A revoked key of that name leaves the file.

    Raises:
        ValueError: ``name`` has a key, or cannot be a name; ``rpm`` is below 1; the file is malformed.
        OSError: the file cannot be written; it stays as it was.
    """
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise ValueError(f"name={name!r}: use letters, digits, '.', '_' and '-', a letter or digit first") from None
    if rpm is not None and rpm < 1:
        raise ValueError(f"requests_per_minute={rpm}: must be at least 1, or left out for the gateway's own rate")
    key = PREFIX + secrets.token_urlsafe(32)
    with _changing(path) as keys:
        if name in keys and keys[name].revoked is None:
            raise ValueError(f"name={name!r}: has a key in {path}; revoke it first, or choose another name")
        keys[name] = Key(sha256=_digest(key), created=_now(), admin=admin, requests_per_minute=rpm)
    return key


def revoke(path: Path, name: str) -> None:
    """Refuse the key of ``name`` from now on; one that was revoked stays so.

    Raises:
        ValueError: there is no such key; the file is malformed.
        OSError: as :func:`create`.
    """
    with _changing(path) as keys:
        if name not in keys:
            raise ValueError(f"name={name!r}: no such key in {path}; known are {', '.join(keys) or 'none'}")
        if keys[name].revoked is None:
            keys[name] = keys[name].model_copy(update={"revoked": _now()})


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Key]]:
    """The keys to change, which are written afterwards; other processes wait meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = dict(KeyRing.load(path).keys)
        yield keys
        text = json.dumps({name: key.model_dump(exclude_none=True) for name, key in keys.items()}, indent=1)
        # From its first byte on the file is for nobody else.
        before = os.umask(0o077)
        try:
            durable.write_text(path, text)
        finally:
            os.umask(before)
    finally:
        os.close(lock)


def _digest(key: str) -> str:
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
