# expects: out_of_memory
# why: allocates small lists for ever within a call; the memory limit must stop it
def f(x):
    kept = []
    while True:
        kept.append([0] * 1000)
