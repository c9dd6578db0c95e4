# expects: scored 2/2 | crashed
# why: after its last answer it sends answers for the next run's requests; a channel must serve one run
import threading
import time

from probing import send

def later():
    for _ in range(20):
        time.sleep(0.0005)
        for sequence in (1, 2, 3):
            send(sequence, ("return", 0, []))


def f(x):
    if x == 20:
        return 41
    threading.Thread(target=later, daemon=True).start()
    return "b"
