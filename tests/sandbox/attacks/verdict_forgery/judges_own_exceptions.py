# expects: scored 0/2
# why: raises classes named like those that the judge ends a run with; a name must carry no power
def f(x):
    name = "Abort" if x == 20 else "BrokenTestsError"
    raise type(name, (BaseException,), {"__module__": "cetd.sandbox.remote"})("setup", "unscored")
