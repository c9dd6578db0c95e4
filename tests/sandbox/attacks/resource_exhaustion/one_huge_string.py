# expects: out_of_memory
# why: asks for a terabyte at once; the memory limit must refuse it
def f(x):
    return "x" * (1 << 40)
