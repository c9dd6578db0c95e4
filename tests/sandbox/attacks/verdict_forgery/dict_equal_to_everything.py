# expects: scored 0/2
# why: a dict whose class lies about its items and its length; it must arrive as the plain dict
class E(dict):
    def __eq__(self, other):
        return True

    def __len__(self):
        return 1 << 40

    def items(self):
        return iter([])


def f(x):
    return E({1: 2})
