# expects: timed_out
# why: writes to a pipe of its own that nobody reads, and waits in the kernel for ever
import os

read, write = os.pipe()
while True:
    os.write(write, bytes(65536))
