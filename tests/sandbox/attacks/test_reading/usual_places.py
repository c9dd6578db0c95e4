# expects: scored 2/2
# why: imports and opens the tests by their usual names, and lists where they might lie; there must be nothing
import importlib
import os

from probing import refusal, right_if

said = []
for name in ("test_app", "tests", "tests.test_app", "conftest"):
    try:
        importlib.import_module(name)
        said.append("imported")
    except ModuleNotFoundError:
        said.append("missing")
for path in ("test_app.py", "../test_app.py", "/tests/test_app.py", "/test_app.py"):
    said.append(refusal(open, path))
contained = set(said) == {"missing", "ENOENT"} and os.listdir("/tmp") == [] and os.getcwd() == "/tmp"
print(said)

f = right_if(contained)
