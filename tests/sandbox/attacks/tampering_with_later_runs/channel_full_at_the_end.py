# expects: scored 2/2 | crashed
# why: a thread fills the channel to the brim behind the last answer, so that its end has much to throw away
import os
import threading
import time


def later():
    time.sleep(0.0005)
    while True:
        os.write(3, bytes(1 << 16))


def f(x):
    if x == 20:
        return 41
    threading.Thread(target=later, daemon=True).start()
    return "b"
