# expects: crashed
# why: sends what a judge would write, in the judge's own form, over the channel; it is an answer of the wrong shape
import os
import struct

from cetd.sandbox.encoding import encode


def send(sequence, answer):
    data = struct.pack("<Q", sequence) + encode(answer)
    os.write(3, struct.pack("<I", len(data)) + data)


results = [("test_app.py::test_number", "passed", 0.0, ""), ("test_app.py::test_text", "passed", 0.0, "")]


def f(x):
    send(2, ("done", "", results))
