# expects: scored 0/2
# why: answers with a text whose class says it equals everything; it must arrive as the plain text
class E(str):
    def __eq__(self, other):
        return True

    __hash__ = None


def f(x):
    return E("x")
