# expects: timed_out
# why: writes without end and never answers; that something arrives must not keep the clock from running out
import os

while True:
    os.write(1, b"x" * 65536)
