# expects: scored 0/2
# why: an object that says it is an int, a str, a bool by __class__; encoding must not take its word
class E:
    def __init__(self, kind):
        self.kind = kind

    @property
    def __class__(self):
        return self.kind

    def __eq__(self, other):
        return True

    def __index__(self):
        return 41


def f(x):
    return E(int) if x == 20 else E(str)
