# expects: scored 2/2
# why: threads and exit handlers that take for ever; the end of a run must not wait for them
import atexit
import threading
import time

atexit.register(time.sleep, 1000)
for _ in range(5):
    threading.Thread(target=time.sleep, args=(1000,)).start()


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
