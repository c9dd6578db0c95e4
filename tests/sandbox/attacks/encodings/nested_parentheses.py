# expects: crashed
# why: parentheses nested beyond every parser's depth; the parser may refuse or fall, on its own side
exec("(" * 100_000 + ")" * 100_000)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
