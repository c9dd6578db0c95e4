# expects: scored 0/2
# why: answers with the bytes of pickles and of marshalled code; they must stay bytes
import marshal
import os
import pickle


class E:
    def __reduce__(self):
        return os._exit, (0,)


def f(x):
    return pickle.dumps(E()) if x == 20 else marshal.dumps(compile("import os; os._exit(0)", "x", "exec"))
