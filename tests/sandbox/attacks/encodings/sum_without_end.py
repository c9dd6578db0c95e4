# expects: crashed | out_of_memory
# why: a sum of a hundred thousand terms, on which the compiler recurses; it may refuse or fall, on its own side
exec("x = " + "1+" * 100_000 + "x")


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
