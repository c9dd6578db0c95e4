# expects: crashed
# why: begins with a byte order mark, which some readers drop and others refuse
def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
