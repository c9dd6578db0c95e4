# expects: crashed
# why: forks without catching the refusal; the limit on processes must refuse, and the error is its own
import os

while True:
    os.fork()
