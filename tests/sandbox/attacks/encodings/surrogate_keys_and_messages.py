# expects: scored 0/2
# why: lone surrogates, NULs and bidirectional marks in messages that end up in reports
def f(x):
    raise KeyError("\ud800\x00\u202e\x1b[2J", "b" * 10)
