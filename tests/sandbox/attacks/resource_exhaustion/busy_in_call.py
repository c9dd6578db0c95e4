# expects: timed_out
# why: never answers a call; the wall clock must end it
def f(x):
    while True:
        pass
