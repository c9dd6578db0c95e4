# expects: timed_out
# why: starts interpreters, which start interpreters, by posix_spawn (vfork and exec); limits must survive exec
import os
import sys
import time

CODE = """
import os, sys, time
while True:
    try:
        os.posix_spawn(sys.executable, ["python", "-S", "-c", sys.argv[1], sys.argv[1]], os.environ)
    except OSError:
        time.sleep(0.01)
"""
while True:
    try:
        os.posix_spawn(sys.executable, ["python", "-S", "-c", CODE, CODE], os.environ)
    except OSError:
        time.sleep(0.01)
