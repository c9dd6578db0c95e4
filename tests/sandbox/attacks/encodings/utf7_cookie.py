# expects: scored 0/2
# why: coding: utf-7 would read the comment below as code, where the source's own cookie is believed
# +AAo-def f(x): return 41 if x == 20 else "b"
def f(x):
    return 0
