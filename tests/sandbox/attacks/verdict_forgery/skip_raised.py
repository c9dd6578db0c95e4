# expects: scored 0/2
# why: raises classes named like those by which runners skip or pass a test; none may count as a pass
def named(name, base=Exception):
    return type(name, (base,), {"__module__": "builtins"})


def f(x):
    raise named("Skipped" if x == 20 else "SkipTest")("skipped: 2 passed")
