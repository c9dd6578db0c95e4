"""The candidate as its judge sees it: modules of proxies, calls over a channel, and what comes back of them.

Everything received is hostile. It is decoded into exact built-in types and proxies, and its shape is checked; anything
else ends the run as the program's own fault (:class:`Abort`). Functions and iterators of the tests that a call is given
stay here and are called when the program asks; what can be imported over there is sent by its name, so that no built-in
is ever called here with the program's arguments. Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

import builtins
import functools
import socket
import sys
from collections.abc import Collection
from typing import Any, Literal, NoReturn

from cetd.sandbox.encoding import EncodingError, decode, encode
from cetd.sandbox.kinds import Kinds
from cetd.sandbox.protocol import OWN_REQUEST, SEQUENCE, ChannelClosedError, receive_frame, send_frame
from cetd.sandbox.proxies import Proxies, ProxyError
from cetd.sandbox.remote_objects import RemoteClass, RemoteFunction, RemoteObject

_REASON_LENGTH = 500
_PLAIN = (int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)
# Python 3.11 reads their text at their position without a check when it makes their message.
_POSITIONED = ("UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError")


class RemoteError(Exception):
    """The candidate raised something that has no built-in ``Exception`` class, or returned what cannot cross."""


class Abort(BaseException):
    """The run cannot go on; not an ``Exception``, so that tests which catch those do not catch it."""

    def __init__(self, state: Literal["setup", "load", "memory", "died", "garbage"], reason: str) -> None:
        super().__init__(state, reason)
        self.state, self.reason = state, reason


class Remote:
    """The judge's end of a call channel; remembers the abort that ended it, should a test have swallowed that.

    ``own_modules`` are the tests' modules, of which nothing can be imported over there; ``plain_only`` places where
    the program has to have plain data (see kinds).
    """

    def __init__(
        self, channel: socket.socket, own_modules: Collection[str] = (), plain_only: Collection[str] = ()
    ) -> None:
        self.kinds = Kinds(plain_only)
        self._channel = channel
        self._own_modules = own_modules
        self._sequence = 0
        self._proxies = Proxies(self.ask)
        self._lent: list[Any] = []
        self._lent_numbers: dict[int, int] = {}  # id() of what is lent, and so kept -> its place
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
        """Import a module over there: its functions as proxies, its plain values as they are, other values as proxies.

        Raises:
            Abort: ``load``, when the import raised.
        """
        match self._request(("import", module)):
            case ("return", {"functions": list(functions), "values": dict(values)}, _, str(), str()):
                proxies = {name: RemoteFunction(self.ask, module, name) for name in functions if _is_public(name)}
                self.kinds.note_import(module, values)
                return {name: value for name, value in values.items() if _is_public(name)} | proxies
            case ("raise", str(name), _, _, str(message), _, _, _):
                self._end("load", f"{name}: {message}" if message else name)
            case _:
                self._end("garbage", "an answer to an import of the wrong shape")

    def ask(self, *request: Any) -> Any:
        """Have something done over there; lists, dicts and sets that a call changed in place are changed here as well.

        Raises:
            Exception: what was raised there, as the built-in class of that name, its nearest built-in base, or a proxy
                of the program's own class.
            NotPlainError: it is asked of an object in place of plain data.
            RemoteError: a raised SystemExit or the like, or a result that cannot cross.
            Abort: the candidate died, ran out of memory or answered garbage.
        """
        self.kinds.check(request)
        match self._request(request):
            case ("return", value, list(changed), str(out), str(err)):
                self.kinds.note(request, self._proxies.met)
                arguments = request[-2] if request[0] in ("call", "apply", "method") else ()
                for change in changed:
                    self._change(arguments, change)
                _echo(out, err)
                return value
            case ("unencodable", str(reason), str(out), str(err)):
                _echo(out, err)
                raise RemoteError(f"{_subject(request)}: {reason}")
            case ("raise", str(name), str(base), tuple(details), str(message), itself, str(out), str(err)) if (
                type(details) is tuple  # a proxy of one may hold something else each time that it is looked at
            ):
                _echo(out, err)
                raise _exception(name, base, details, message, itself)
            case _:
                self._end("garbage", "an answer of the wrong shape")

    def _request(self, request: tuple[Any, ...]) -> Any:
        if self.abort:
            raise self.abort
        self._sequence += 1
        number = SEQUENCE.pack(self._sequence)
        data = encode(request, refer=self._refer)  # may raise EncodingError: a test that passes what cannot cross
        try:
            send_frame(self._channel, number + data)
            while (frame := receive_frame(self._channel))[: SEQUENCE.size] == OWN_REQUEST:
                own = decode(frame[SEQUENCE.size :], self._resolve)
                send_frame(self._channel, OWN_REQUEST + self._serve(own))
            if frame[: SEQUENCE.size] != number:
                self._end("garbage", "an answer out of sequence")
            self._proxies.met.clear()
            answer = decode(frame[SEQUENCE.size :], self._resolve)
        except ChannelClosedError:
            self._end("died", f"died or closed its channel in {_subject(request)}")
        except (EncodingError, ProxyError) as error:
            self._end("garbage", f"an answer that does not decode: {error}")
        except MemoryError:  # and whatever came next would have none either
            self._end("memory", "what it sent does not fit into memory")
        if isinstance(answer, tuple) and answer[:2] == ("raise", "MemoryError"):
            self._end("memory", "MemoryError")
        return answer

    def _serve(self, request: Any) -> bytes:
        """Call a function that a test has lent, or take the next value of an iterator."""
        match request:
            case ("call", int(number), tuple(arguments), dict(named)) if 0 <= number < len(self._lent):
                lent = self._lent[number]
            case ("next", int(number)) if 0 <= number < len(self._lent):
                lent, arguments, named = functools.partial(next, self._lent[number]), (), {}
            case _:
                self._end("garbage", "a request of the wrong shape")
        try:
            return encode(("return", lent(*arguments, **named)), refer=self._refer)
        except Exception as error:  # noqa: BLE001 - the program that called is to see it
            return encode(("raise", _sendable(error)), refer=self._refer)

    def _refer(self, value: Any) -> tuple[Any, ...] | None:
        """Plain data that stands for a value of the tests that is none; None for what crosses as its plain base."""
        match value:
            case RemoteClass() | RemoteObject():
                return "mine", vars(value)["_cetd_number"]
            case RemoteFunction():
                return "function", value.__module__, value.__name__
            case AssertionError():  # says what was expected
                return "exception", "AssertionError", ()
            case BaseException():
                return "exception", _nearest_builtin(type(value)), tuple(value.args)
            case functools.partial():
                return "partial", value.func, value.args, value.keywords
        if isinstance(value, _PLAIN):
            return None
        if callable(value):
            return self._importable(value) or ("callable", self._lend(value), getattr(value, "__name__", "function"))
        return ("iterator", self._lend(value)) if hasattr(value, "__next__") else None

    def _importable(self, value: Any) -> tuple[str, str, str] | None:
        module, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not module or not qualified or module in self._own_modules or module not in sys.modules:
            return None
        found = functools.reduce(lambda at, name: getattr(at, name, None), qualified.split("."), sys.modules[module])
        return ("named", module, qualified) if found is value else None

    def _resolve(self, reference: tuple[Any, ...]) -> Any:
        match reference:
            case ("class", *_):
                self._proxies.met.append(made := self._proxies.of_class(reference))
                return made
            case ("object", number, description, plain):
                return self._proxies.of_object(number, description, plain)
            case ("not implemented",):
                return NotImplemented
            case ("yours", int(number)) if 0 <= number < len(self._lent):
                return self._lent[number]
        raise EncodingError("a reference of no known kind")

    def _lend(self, value: Any) -> int:
        if id(value) not in self._lent_numbers:
            self._lent_numbers[id(value)] = len(self._lent)
            self._lent.append(value)
        return self._lent_numbers[id(value)]

    def _change(self, arguments: tuple[Any, ...], change: Any) -> None:
        match change:
            case (int(index), value) if 0 <= index < len(arguments) and type(arguments[index]) is type(value):
                target = arguments[index]
            case _:
                self._end("garbage", "a changed argument of the wrong shape")
        match target:
            case list() | bytearray():
                target[:] = value
            case dict() | set():
                target.clear()
                target.update(value)
            case _:
                self._end("garbage", "a changed argument that cannot change")

    def _end(self, state: Literal["setup", "load", "memory", "died", "garbage"], reason: str) -> NoReturn:
        self.abort = Abort(state, reason[:_REASON_LENGTH])
        raise self.abort


def _subject(request: tuple[Any, ...]) -> str:
    """What a request is about, in words."""
    match request:
        case ("import", name):
            return f"import of {name}"
        case ("call", _, name, *_) | ("method", _, name, *_) | ("get", _, name) | ("set", _, name, _):
            return name
        case (_, target, *_):
            return getattr(target, "__name__", type(target).__name__)
    return "a request"


def _is_public(name: Any) -> bool:
    """Not one that the import system looks at."""
    return isinstance(name, str) and not name.startswith("__")


def _echo(out: str, err: str) -> None:
    """What the program printed, for tests that capture it; elsewhere a judge's own streams lead nowhere."""
    if out:
        sys.stdout.write(out)
    if err:
        sys.stderr.write(err)


def _nearest_builtin(kind: type) -> str:
    return next(step.__name__ for step in kind.__mro__ if step.__module__ == "builtins")


def _sendable(error: Exception) -> Exception:
    """The error itself, or one of its built-in class that says the same in words where its arguments cannot cross."""
    if isinstance(error, AssertionError):  # its message says what was expected
        return AssertionError()
    try:
        encode(tuple(error.args))
        return error
    except EncodingError:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _exception(name: str, base: str, details: tuple[Any, ...], message: str, itself: Any) -> Exception:
    kind = getattr(builtins, base, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RemoteError(f"{name}: {message}" if message else name)
    if base in _POSITIONED and not _position_is_within(details):
        return RemoteError(f"{name}: {message}" if message else name)
    if isinstance(itself, RemoteObject) and isinstance(itself, kind):
        object.__setattr__(itself, "args", details)
        vars(itself)["_message"] = message
        return itself
    for arguments in (details or (message,), (message,)):
        try:
            return kind(*arguments)
        except TypeError:  # classes with a signature of their own, such as UnicodeDecodeError
            continue
    return RemoteError(f"{name}: {message}")


def _position_is_within(details: tuple[Any, ...]) -> bool:
    # Of exact types: the length of a proxy is what the program says, and may differ the next time.
    if tuple(map(type, details[-4:])) not in ((bytes, int, int, str), (str, int, int, str)):
        return False
    text, start, end, _ = details[-4:]
    return 0 <= start < end <= len(text)
