# expects: out_of_memory | timed_out | crashed
# why: constants that a compiler would compute while it compiles; they may cost its own memory and time only
x = ((((((((((1 << 100) << 100) << 100) ** 100) ** 100) ** 100) ** 100) ** 100) ** 100) ** 100)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
