# expects: crashed
# why: a number of a hundred thousand digits, which takes the square of that to read; the interpreter must refuse it
exec("x = " + "9" * 100_000)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
