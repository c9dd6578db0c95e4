# expects: crashed
# why: blocks nested beyond the compiler's depth; it must refuse, on its own side
exec("".join(" " * n + "if 1:\n" for n in range(2000)) + " " * 2000 + "pass\n")


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
