# expects: scored 0/2
# why: a number that says its distance to everything is nothing, and an object that does; no comparison may ask them
class Near(float):
    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__

    def __eq__(self, other):
        return abs(self - other) == 0

    __hash__ = float.__hash__


class Nowhere:
    def __sub__(self, other):
        return self

    __rsub__ = __sub__

    def __abs__(self):
        return 0

    def __eq__(self, other):
        return True


def f(x):
    return Near() if isinstance(x, int) else Nowhere()
