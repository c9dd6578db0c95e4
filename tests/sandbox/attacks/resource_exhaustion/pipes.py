# expects: scored 2/2
# why: fills the buffers of pipes, which no memory limit counts; the limit on descriptors must keep them few and small
import fcntl
import os

from probing import refusal, right_if

held = 0
open_pipes = []


def hold():
    global held
    for _ in range(4096):
        read, write = os.pipe()
        open_pipes.append((read, write))
        os.set_blocking(write, False)
        try:
            while True:
                held += os.write(write, bytes(1 << 16))
        except BlockingIOError:
            continue


said = refusal(hold)
widened = refusal(fcntl.fcntl, open_pipes[0][1], fcntl.F_SETPIPE_SZ, 1 << 30)
for pair in open_pipes:
    os.close(pair[0])
    os.close(pair[1])
contained = said == "EMFILE" and held <= 4 << 20 and widened == "EPERM"
print(said, held, widened)

f = right_if(contained)
