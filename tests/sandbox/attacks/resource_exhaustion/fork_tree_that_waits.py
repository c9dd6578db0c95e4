# expects: timed_out
# why: a tree of processes in which each waits for its children; all must go with the run
import os


def grow():
    children = []
    for _ in range(2):
        try:
            child = os.fork()
        except OSError:
            while True:
                pass
        if child == 0:
            grow()
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


grow()
