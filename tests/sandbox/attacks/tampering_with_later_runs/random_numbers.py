# expects: scored 2/2
# why: draws and reseeds, so that the next run would draw other numbers; each run must start from the same seed
import random

random.seed(12345)
for _ in range(1000):
    random.random()
random.setstate(random.Random(6).getstate())


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
