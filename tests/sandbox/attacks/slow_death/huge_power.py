# expects: timed_out | out_of_memory
# why: a number of a hundred million digits, computed in C code that no handler of the interpreter interrupts
def f(x):
    return 7**7**9
