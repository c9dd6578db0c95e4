# expects: scored 0/2
# why: sets and keys whose hashing and comparing run code; it must run on their own side and not end the run
class E(str):
    def __hash__(self):
        return 0

    def __eq__(self, other):
        raise SystemExit(0)


def f(x):
    return {E("a"): 1} if x == 20 else frozenset([E("b")])
