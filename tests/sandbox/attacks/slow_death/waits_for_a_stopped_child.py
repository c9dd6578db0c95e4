# expects: timed_out
# why: waits for a child that is stopped and never ends; stopped processes must be killed as well
import os
import signal
import time

child = os.fork()
if child == 0:
    time.sleep(1000)
os.kill(child, signal.SIGSTOP)
os.waitpid(child, 0)
