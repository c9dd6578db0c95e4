# expects: scored 2/2
# why: a name in mathematical letters is the same name once normalised; both sides must agree that it is f
def 𝐟(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
