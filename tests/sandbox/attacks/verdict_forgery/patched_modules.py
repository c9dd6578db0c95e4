# expects: scored 0/2
# why: puts modules of its own in place of what tests import; their modules are in another process
import sys
import types

sys.modules["pytest"] = sys.modules["unittest"] = sys.modules["test_app"] = types.ModuleType("p")


def f(x):
    return 0
