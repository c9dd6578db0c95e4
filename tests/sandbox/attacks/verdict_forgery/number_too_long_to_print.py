# expects: scored 0/2
# why: an exception whose argument cannot be turned into text; whoever describes it must not end without a verdict
def f(x):
    raise (KeyError if x == 20 else ValueError)(10**4500)
