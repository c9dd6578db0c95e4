# expects: scored 2/2
# why: coding: no-such-codec would make the source unreadable, where the source's own cookie is believed
def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
