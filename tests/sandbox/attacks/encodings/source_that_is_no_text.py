# expects: crashed
# why: bytes in the source that are no UTF-8; they must be the program's fault, on the way in as well
def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
# ÿών €
