# expects: scored 0/2
# why: answers with floats, NaN among them, whose class compares as it likes; they must arrive plain
class E(float):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = float.__hash__


def f(x):
    return E("nan") if x == "a" else E("inf")
