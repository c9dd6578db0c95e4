# expects: timed_out
# why: starts threads for ever; the limit on processes counts them
import threading
import time

while True:
    try:
        threading.Thread(target=time.sleep, args=(99,)).start()
    except RuntimeError:
        pass
