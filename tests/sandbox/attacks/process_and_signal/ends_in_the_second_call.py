# expects: crashed
# why: answers one test rightly and then ends with status 0; one passed test must not become a verdict
import os


def f(x):
    return 41 if x == 20 else os._exit(0)
