# expects: scored 2/2
# why: threads with stacks of 64 MiB each; the memory limit counts stacks, so few of them may start
import threading
import time

from probing import right_if

threading.stack_size(64 << 20)
started, refused = 0, ""
while started < 64 and not refused:
    try:
        threading.Thread(target=time.sleep, args=(99,), daemon=True).start()
        started += 1
    except RuntimeError as error:
        refused = str(error)
contained = refused == "can't start new thread" and started < 16
print(started, refused)

f = right_if(contained)
