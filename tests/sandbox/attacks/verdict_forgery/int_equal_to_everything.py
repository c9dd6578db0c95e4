# expects: scored 0/2
# why: answers with an int whose class says it equals everything; it must arrive as the plain int
class E(int):
    def __eq__(self, other):
        return True

    __hash__ = None


def f(x):
    return E(3)
