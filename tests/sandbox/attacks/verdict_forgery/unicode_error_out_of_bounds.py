# expects: scored 0/2
# why: a Unicode error whose position lies far outside of its text, which some interpreters read without a check
class E(UnicodeDecodeError):
    def __str__(self):
        return ""


class F(UnicodeEncodeError):
    def __str__(self):
        return ""


def f(x):
    if x == 20:
        raise E("utf-8", b"", -(1 << 60), 1 - (1 << 60), "x")
    raise F("utf-8", "", -1, 0, "x")
