# expects: scored 0/2
# why: registers reducers for plain types, so that whoever copies or pickles its answers runs its code
import copyreg
import os

for kind in (int, str, bytes, list, tuple, dict):
    copyreg.pickle(kind, lambda value: (os._exit, (0,)))


def f(x):
    return 0
