# expects: scored 0/2
# why: an answer nested without end or within itself; encoding must refuse it as its test's error
loop = []
loop.append(loop)


def f(x):
    if x == 20:
        return loop
    deep = []
    for _ in range(10_000):
        deep = [deep]
    return deep
