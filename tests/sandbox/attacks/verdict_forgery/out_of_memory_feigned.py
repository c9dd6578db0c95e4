# expects: out_of_memory
# why: names its exception like the one of a full memory; that is an outcome that scores 0, and may be
def f(x):
    raise type("MemoryError", (Exception,), {})
