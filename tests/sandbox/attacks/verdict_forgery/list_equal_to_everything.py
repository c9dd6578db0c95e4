# expects: scored 0/2 | crashed
# why: a list whose class compares, counts and iterates as it likes; it must arrive as the plain list
class E(list):
    def __eq__(self, other):
        return True

    def __len__(self):
        return 1

    def __iter__(self):
        return iter([41])


def f(x):
    return E([0, 0])
