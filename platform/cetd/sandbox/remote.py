"""The candidate as its judge sees it: modules of proxies, calls over a channel, and plain data back.

Everything received is hostile. It is decoded into exact built-in types and its shape is checked; anything else ends the
run as the program's own fault (:class:`Abort`). Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

import builtins
import socket
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Literal, NoReturn

from cetd.sandbox.encoding import EncodingError, decode, encode
from cetd.sandbox.protocol import SEQUENCE, ChannelClosedError, receive_frame, send_frame
from cetd.sandbox.sources import is_package, module_names

_REASON_LENGTH = 500
# Python 3.11 reads their text at their position without a check when it makes their message.
_POSITIONED = ("UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError")


class RemoteError(Exception):
    """The candidate raised something that has no built-in ``Exception`` class, or returned what is not plain data."""


class Abort(BaseException):
    """The run cannot go on; not an ``Exception``, so that tests which catch those do not catch it."""

    def __init__(self, state: Literal["setup", "load", "memory", "died", "garbage"], reason: str) -> None:
        super().__init__(state, reason)
        self.state, self.reason = state, reason


class Remote:
    """The judge's end of a call channel; remembers the abort that ended it, should a test have swallowed that."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._sequence = 0
        self.abort: Abort | None = None

    def wait_until_ready(self) -> None:
        """Return once the candidate has locked itself in.

        Raises:
            Abort: ``setup``, when it could not.
        """
        try:
            match decode(receive_frame(self._channel)):
                case ("ready",):
                    return
                case ("setup", str(reason)):
                    self._end("setup", reason)
                case other:
                    self._end("setup", f"unexpected {other!r}")
        except (ChannelClosedError, EncodingError) as error:
            self._end("setup", f"the candidate ended before it was locked in: {error}")

    def load(self, module: str) -> dict[str, Any]:
        """Import a module over there: its functions as proxies, its plain constants as they are.

        Raises:
            Abort: ``load``, when the import raised.
        """
        match self._request(("import", module)):
            case ("return", {"functions": list(functions), "constants": dict(constants)}, _):
                names = [name for name in functions if isinstance(name, str)]
                return constants | {name: self._proxy(module, name) for name in names}
            case ("raise", str(name), _, _, str(message)):
                self._end("load", f"{name}: {message}" if message else name)
            case _:
                self._end("garbage", "an answer to an import of the wrong shape")

    def call(self, module: str, function: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call over there; lists, dicts and sets that the call changed in place are changed here as well.

        Raises:
            Exception: what the call raised, as the built-in class of that name or its nearest built-in base.
            RemoteError: a raised SystemExit or the like, or a result that is not plain data.
            Abort: the candidate died, ran out of memory or answered garbage.
        """
        match self._request(("call", module, function, arguments, named)):
            case ("return", value, list(changed)):
                for change in changed:
                    self._change(arguments, change)
                return value
            case ("unencodable", str(reason)):
                raise RemoteError(f"{function}: {reason}")
            case ("raise", str(name), str(base), tuple(details), str(message)):
                raise _exception(name, base, details, message)
            case _:
                self._end("garbage", "an answer of the wrong shape")

    def _proxy(self, module: str, name: str) -> Callable[..., Any]:
        def forward(*arguments: Any, **named: Any) -> Any:
            return self.call(module, name, arguments, named)

        forward.__name__ = forward.__qualname__ = name
        return forward

    def _request(self, request: tuple[Any, ...]) -> Any:
        if self.abort:
            raise self.abort
        self._sequence += 1
        data = encode(request)  # may raise EncodingError: a test that passes what is not plain data
        try:
            send_frame(self._channel, SEQUENCE.pack(self._sequence) + data)
            frame = receive_frame(self._channel)
            if frame[: SEQUENCE.size] != SEQUENCE.pack(self._sequence):
                self._end("garbage", "an answer out of sequence")
            answer = decode(frame[SEQUENCE.size :])
        except ChannelClosedError:
            self._end(
                "died",
                f"died or closed its channel in {'import of ' if request[0] == 'import' else ''}"
                f"{request[-1] if request[0] == 'import' else request[2]}",
            )
        except EncodingError as error:
            self._end("garbage", f"an answer that does not decode: {error}")
        if isinstance(answer, tuple) and answer[:2] == ("raise", "MemoryError"):
            self._end("memory", "MemoryError")
        return answer

    def _change(self, arguments: tuple[Any, ...], change: Any) -> None:
        match change:
            case (int(index), value) if 0 <= index < len(arguments) and type(arguments[index]) is type(value):
                target = arguments[index]
            case _:
                self._end("garbage", "a changed argument of the wrong shape")
        match target:
            case list():
                target[:] = value
            case dict() | set():
                target.clear()
                target.update(value)
            case _:
                self._end("garbage", "a changed argument that cannot change")

    def _end(self, state: Literal["setup", "load", "memory", "died", "garbage"], reason: str) -> NoReturn:
        self.abort = Abort(state, reason[:_REASON_LENGTH])
        raise self.abort


def _exception(name: str, base: str, details: tuple[Any, ...], message: str) -> Exception:
    kind = getattr(builtins, base, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RemoteError(f"{name}: {message}" if message else name)
    if base in _POSITIONED and not _position_is_within(details):
        return RemoteError(f"{name}: {message}" if message else name)
    for arguments in (details or (message,), (message,)):
        try:
            return kind(*arguments)
        except TypeError:  # classes with a signature of their own, such as UnicodeDecodeError
            continue
    return RemoteError(f"{name}: {message}")


def _position_is_within(details: tuple[Any, ...]) -> bool:
    match details:
        case (*_, str() | bytes() as text, int(start), int(end), str()):
            return 0 <= start < end <= len(text)
        case _:
            return False


class RemoteFinder:
    """Answers the tests' imports of the program's modules with proxies; comes before every other finder."""

    def __init__(self, program_paths: Iterable[str]) -> None:
        self._paths = module_names(program_paths)
        self.remote: Remote | None = None

    def forget(self) -> None:
        """Unload the proxies of an earlier candidate, and preloaded modules that the program shadows."""
        for name in self._paths:
            sys.modules.pop(name, None)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._paths:
            return None
        spec = ModuleSpec(name, self, is_package=is_package(self._paths[name]))  # pyright: ignore[reportArgumentType]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert self.remote is not None
        module.__dict__.update(self.remote.load(module.__name__))
