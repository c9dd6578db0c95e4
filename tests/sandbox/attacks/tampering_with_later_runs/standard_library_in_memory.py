# expects: scored 2/2
# why: patches modules, builtins and types in memory; the next run must be forked from whole ones
import builtins
import json
import math
import random
import sys

math.sqrt = math.pi = json.dumps = lambda *a: "attack-mark"
builtins.sorted = builtins.print = lambda *a: 0
random.random = random.Random.random = lambda *a: 0.5
sys.modules["re"] = None
sys.path[:] = ["/tmp"]
sys.meta_path.reverse()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
