# expects: scored 2/2
# why: exports what would change the judge's modules if names were taken at their word; its later runs must be whole
__path__ = ["/tmp"]
__all__ = ["f", "random", "sys", "os"]
random = 4
builtins = {"len": 0}
AssertionError = "attack-mark"


def __getattr__(name):
    return 41


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
