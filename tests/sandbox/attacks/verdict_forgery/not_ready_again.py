# expects: crashed | scored 0/2
# why: repeats the words by which a candidate reports that it could not be set up, which would be our fault
from cetd.sandbox.encoding import encode
import os
import struct

data = encode(("setup", "no namespaces"))


def f(x):
    os.write(3, struct.pack("<I", len(data)) + data)
    os._exit(1)
