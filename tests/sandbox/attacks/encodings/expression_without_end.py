# expects: crashed | out_of_memory
# why: a megabyte of one expression, on which the compiler recurses; it may refuse or fall, on its own side
exec("x = " + "-" * (1 << 20) + "1")


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
