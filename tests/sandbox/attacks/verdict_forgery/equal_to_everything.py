# expects: scored 0/2
# why: answers with an object that equals everything; only plain data may cross
class E:
    def __eq__(self, other):
        return True

    __hash__ = None


def f(x):
    return E()
