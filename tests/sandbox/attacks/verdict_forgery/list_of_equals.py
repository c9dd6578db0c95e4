# expects: scored 0/2
# why: hides an object that equals everything within a list; only plain data may cross, at any depth
class E:
    def __eq__(self, other):
        return True


def f(x):
    return [E()]
