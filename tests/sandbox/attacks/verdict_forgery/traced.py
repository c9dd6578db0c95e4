# expects: scored 0/2 | crashed
# why: traces and profiles the code that serves it, to change its values on the way; those are its own answers only
import sys


def spy(frame, event, argument):
    if "answer" in frame.f_locals:
        frame.f_locals["answer"] = b"T"
    return spy


sys.settrace(spy)
sys.setprofile(spy)
frame = sys._getframe()
while frame:
    frame.f_trace = spy
    frame = frame.f_back


def f(x):
    return 0
