# expects: scored 0/2
# why: names built-in exceptions whose constructors refuse its arguments; each must be no more than its test's error
import cetd.sandbox.candidate as own
from cetd.sandbox.encoding import encode

HARD = [("ExceptionGroup", ("x", [])), ("UnicodeTranslateError", ("", 1 << 200, 2, "x"))]
own._describe = lambda error: encode(("raise", *[error.args[0]] * 2, error.args[1], "x"))


def f(x):
    raise ValueError(*HARD[x == 20])
