# expects: timed_out
# why: objects whose finalisers make new objects with finalisers, so that cleaning up never ends
class Phoenix:
    def __del__(self):
        Phoenix()
        while True:
            pass


def f(x):
    Phoenix()
    return 41
