# expects: scored 0/2
# why: answers with lone surrogates, which no UTF-8 has; they must cross as they are and be wrong
def f(x):
    return "\ud800\udfff" if x == 20 else "b\udc80"
