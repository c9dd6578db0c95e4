# expects: scored 0/2 | crashed
# why: exceptions whose __str__, args, __traceback__ and __class__ run code; they must be described without harm
class E(Exception):
    @property
    def args(self):
        raise SystemExit(0)

    @property
    def __traceback__(self):
        raise KeyboardInterrupt

    @property
    def __class__(self):
        raise GeneratorExit

    def __str__(self):
        raise SystemExit(0)


def f(x):
    raise E
