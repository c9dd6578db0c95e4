# expects: timed_out
# why: never ends its import; the wall clock must
while True:
    pass
