# expects: scored 0/2
# why: bidirectional marks make a comment look like code; only what is code counts
def f(x):
    return 0  # ‮⁦ 1 + x * 2 nruter ⁩
