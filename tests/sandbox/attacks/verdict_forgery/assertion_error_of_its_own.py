# expects: scored 0/2
# why: raises exceptions that say they are what a test expects of a failed assertion, with lies in their arguments
class AssertionError(AssertionError):  # noqa: A001
    passed = True

    def __bool__(self):
        return False


def f(x):
    raise AssertionError("passed", True, 0)
