from dataclasses import replace

import pytest

from cetd.data.recorded.functions import Candidate, candidates
from cetd.data.recorded.modules import Module, SourceError, names_in, read_module


def verdicts(text: str, *, private: bool = False, max_lines: int = 100) -> dict[str, str | None]:
    """The reason of each function's refusal, None for a candidate."""
    found = candidates(Module("written", text), private=private, max_lines=max_lines)
    return {each.function: None if isinstance(each, Candidate) else each.reason for each in found}


PURE = [
    "def f(x):\n    return x + 1",
    "import re\ndef f(x):\n    return re.sub('a', 'b', x)",
    "import os\ndef f(x):\n    return os.fspath(x)",
    "from collections import Counter\ndef f(x):\n    c = Counter()\n    c.update(x)\n    return dict(c)",
    "def helper(x):\n    yield x\ndef f(x):\n    return list(helper(x))",
    "class Box:\n    def __init__(self, x):\n        self.x = x\ndef f(x):\n    return Box(x).x",
    "def f(x):\n    import math\n    return math.floor(x)",
    "CACHE = []\ndef f(x):\n    CACHE = []\n    CACHE.append(x)\n    return CACHE",
]
IMPURE = [
    ("def f(x):\n    print(x)", "uses print"),
    ("def f(x):\n    return open(x).read()", "uses open"),
    ("import os\ndef f(x):\n    return os.getcwd()", "uses more of os than is known to be pure"),
    ("import os\ndef f(x):\n    g = os\n    return g.getpid()", "uses more of os than is known to be pure"),
    ("from os import path\ndef f(x):\n    return path.exists(x)", "imports os.path"),
    ("def f(x):\n    import random\n    return random.random()", "imports random"),
    ("def g(x):\n    return input(x)\ndef f(x):\n    return g(x)", "uses input"),
    ("import time\nSTART = time.time()\ndef f(x):\n    return x - START", "imports time"),
    ("from . import other\ndef f(x):\n    return other.g(x)", "imports from its own package: ."),
    ("COUNT = 0\ndef f(x):\n    global COUNT\n    COUNT = x", "writes COUNT of an outer scope"),
    ("CACHE = {}\ndef f(x):\n    CACHE[x] = 1\n    return x", "changes the module's CACHE"),
    ("SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return SEEN", "changes the module's SEEN"),
    ("class C:\n    n = 0\ndef f(x):\n    C.n += 1\n    return C.n", "changes the module's C"),
    ("def f(x):\n    yield x", "is a generator"),
    ("async def f(x):\n    return x", "is asynchronous"),
    ("import datetime\ndef f(x):\n    return datetime.date.today()", "uses today"),
    ("import enum\ndef f(x):\n    return enum.sys.argv", "uses enum.sys"),
    ("def f(x):\n    return f.__globals__", "uses __globals__"),
    ("def f():\n    return 1", "has no parameters"),
    ("from math import *\ndef f(x):\n    return floor(x)", "floor is not defined in the module"),
]


@pytest.mark.parametrize("text", PURE)
def test_a_pure_function_is_a_candidate(text: str):
    assert verdicts(text)["f"] is None


@pytest.mark.parametrize(("text", "reason"), IMPURE)
def test_what_is_not_pure_is_refused_with_the_reason(text: str, reason: str):
    assert verdicts(text)["f"] == reason


def test_private_functions_are_looked_at_only_when_asked_for():
    text = "def _f(x):\n    return x\n\ndef __getattr__(name):\n    return name\n"
    assert verdicts(text) == {}
    assert verdicts(text, private=True) == {"_f": None}


def test_a_long_closure_is_refused():
    text = "def f(x):\n" + "    x += 1\n" * 120 + "    return x\n"
    assert verdicts(text)["f"] == "needs 100 lines and more"


def test_the_signature_is_that_of_the_text():
    (found,) = candidates(Module("m", "def f(x: int, *rest, y=2, **more) -> str: ..."), private=False, max_lines=9)
    assert isinstance(found, Candidate)
    assert found.signature == "def f(x: int, *rest, y=2, **more) -> str"
    assert found.app_id == "m.f"
    assert replace(found, module="_m", function="_f").app_id == "m._f"


def test_modules_of_a_package_leave_out_its_tests():
    assert names_in("textwrap") == ["textwrap"]
    assert names_in("json") == ["json", "json.decoder", "json.encoder", "json.scanner", "json.tool"]


def test_finding_a_module_does_not_import_its_package(tmp_path, monkeypatch):
    package = tmp_path / "loud"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "quiet.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_module("loud.quiet") == Module("loud.quiet", "X = 1\n")


@pytest.mark.parametrize(("name", "part"), [("no_such_module", "not installed"), ("zlib", "has no Python source")])
def test_a_module_without_source_is_refused(name: str, part: str):
    with pytest.raises(SourceError, match=f"module={name}: .*{part}"):
        read_module(name)
