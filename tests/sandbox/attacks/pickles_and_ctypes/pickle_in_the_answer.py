# expects: scored 0/2
# why: answers with an object that runs code where it is unpickled; nothing may unpickle, and objects are refused
import os


class E:
    def __reduce__(self):
        return os._exit, (0,)

    __reduce_ex__ = lambda self, protocol: self.__reduce__()
    __getstate__ = __copy__ = __deepcopy__ = __reduce__


def f(x):
    return E() if x == 20 else [E()]
