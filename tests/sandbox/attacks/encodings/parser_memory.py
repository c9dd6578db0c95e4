# expects: out_of_memory | crashed
# why: a source whose tree takes more memory than there is; the memory limit must stop the compiler
compile("[" + "[0],(1),{2},x," * (1 << 20) + "]", "x", "exec")


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
