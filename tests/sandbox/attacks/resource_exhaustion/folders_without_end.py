# expects: scored 2/2
# why: thousands of folders, whose removal takes longer than making them; the next run must not have to wait for it
import os
import time

made = 0
begun = time.process_time()
try:
    while time.process_time() < begun + 0.1:
        os.mkdir(f"attack-mark-{made}")
        made += 1
except OSError as error:
    print(error)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
