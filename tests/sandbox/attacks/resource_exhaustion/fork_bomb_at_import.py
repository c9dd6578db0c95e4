# expects: timed_out
# why: every process forks for ever; the limit on processes must hold and all must go with the run
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
