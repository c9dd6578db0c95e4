# expects: scored 0/2 | crashed
# why: walks up the frames that called it and patches their globals; those serve its own answers only
import sys

frame = sys._getframe()
while frame:
    for key in list(frame.f_globals):
        if key in ("encode", "_describe"):
            frame.f_globals[key] = lambda *a: b"T"
    frame = frame.f_back


def f(x):
    return 0
