# expects: scored 0/2
# why: patches the judge's functions in the copy that it has of them; the judge is another process
import sys

for name, module in list(sys.modules.items()):
    if name.startswith("cetd"):
        for key in ("_timed", "_run_file", "main", "_explain", "outcome_of", "_test_names"):
            if hasattr(module, key):
                setattr(module, key, lambda *a, **b: ("x", "passed", 0.0, ""))


def f(x):
    return 0
