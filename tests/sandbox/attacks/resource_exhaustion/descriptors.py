# expects: scored 2/2
# why: opens files for ever and asks for more descriptors; EMFILE must come early and the limit must not rise
import os
import resource

from probing import refusal, right_if

opened = []


def take():
    while len(opened) < 4096:
        opened.append(os.open("/dev/null", os.O_RDONLY))


said = refusal(take)
for fd in opened:
    os.close(fd)
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    raised = "allowed"
except ValueError as error:
    raised = str(error)
contained = said == "EMFILE" and len(opened) < 64 and raised == "not allowed to raise maximum limit"
print(said, len(opened), raised)

f = right_if(contained)
