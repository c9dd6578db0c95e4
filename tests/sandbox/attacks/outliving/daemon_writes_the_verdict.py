# expects: scored 0/2 | crashed
# why: a daemon, forked twice, writes verdicts to every descriptor after the fact; none may lead to a verdict
import os
import time

from cetd.sandbox.encoding import encode

results = [("test_app.py::test_number", "passed", 0.0, ""), ("test_app.py::test_text", "passed", 0.0, "")]
verdict = encode(("done", "", results))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            for fd in (0, 1, 2, *range(4, 64)):
                try:
                    os.write(fd, verdict)
                except OSError:
                    continue
            time.sleep(0.001)
    os._exit(0)
os.wait()


def f(x):
    return 0
