# expects: scored 0/2
# why: a function whose Cyrillic name only looks like the one that is asked for; it must not be found
def ϝ(x):
    return 41 if x == 20 else "b"
