# expects: out_of_memory
# why: an answer of few bytes that unfolds to more than the judge may hold; its end is the program's fault, not ours
import os
import struct


def f(x):
    data = struct.pack("<Q", 2) + b"t\x05\x00\x00\x00s\x06\x00\x00\x00return"
    data += b"l" + struct.pack("<I", 800_000) + b"S\x00\x00\x00\x00" * 800_000
    data += b"l\x00\x00\x00\x00" + b"s\x00\x00\x00\x00" * 2
    frame = struct.pack("<I", len(data)) + data
    while frame:
        frame = frame[os.write(3, frame) :]
