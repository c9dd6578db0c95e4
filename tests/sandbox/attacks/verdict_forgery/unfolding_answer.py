# expects: scored 0/2
# why: a small answer whose shared parts unfold to more than any memory; encoding must stop at its limit
def f(x):
    bomb = [0]
    for _ in range(60):
        bomb = [bomb, bomb]
    return bomb
