# expects: scored 2/2
# why: form feeds, lone carriage returns and mixed line ends, at which line counters and parsers differ
def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)




g = 1
h = 2i = 3
