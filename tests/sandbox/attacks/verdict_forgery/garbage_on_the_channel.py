# expects: crashed
# why: writes bytes to the channel that are no frame; it spoils its own run
import os


def f(x):
    os.write(3, b"garbage that is no frame" * 100)
    return 41
