# expects: scored 2/2
# why: a megabyte in each call, where a pipe that nobody reads would hold the answer up for ever
def f(x):
    print("x" * (1 << 20))
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
