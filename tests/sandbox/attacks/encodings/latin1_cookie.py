# expects: scored 2/2
# why: coding: latin-1 would read the text below as two characters, where the source's own cookie is believed
def f(x):
    assert len("é") == 1
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
