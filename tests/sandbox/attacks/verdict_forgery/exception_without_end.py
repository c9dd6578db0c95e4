# expects: scored 0/2
# why: an exception whose message and arguments are huge; they must be cut, not passed on
def f(x):
    raise ValueError("x" * (1 << 20), [0] * 10_000, "\x00\ud800" * 1000)
