# expects: scored 0/2
# why: writes a verdict of the right form to every descriptor but its channel; none may be the verdict's
import os

from cetd.sandbox.encoding import encode

results = [(f"test_app.py::{name}", "passed", 0.0, "") for name in ("test_number", "test_text")]
verdict = encode(("done", "", results))
for fd in range(4096):
    if fd != 3:
        try:
            os.write(fd, verdict)
        except OSError:
            continue


def f(x):
    return 0
