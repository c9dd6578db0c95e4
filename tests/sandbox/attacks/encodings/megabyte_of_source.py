# expects: scored 2/2
# why: a megabyte of plain source, which has to be compiled within the same limits as everything else
exec("x = 1\n" * 5_000 + "#" * (1 << 20))


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
