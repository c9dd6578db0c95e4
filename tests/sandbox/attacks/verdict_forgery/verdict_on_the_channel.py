# expects: crashed
# why: sends what a judge would write, in the judge's own form, over the channel; it is an answer of the wrong shape
from probing import send

results = [("test_app.py::test_number", "passed", 0.0, ""), ("test_app.py::test_text", "passed", 0.0, "")]


def f(x):
    send(2, ("done", "", results))
