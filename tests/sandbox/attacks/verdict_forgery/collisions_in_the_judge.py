# expects: timed_out | crashed
# why: an answer of numbers that all hash alike, so that decoding it takes the judge for ever; the wall clock must hold
import os
import struct


def f(x):
    modulus = (1 << 61) - 1
    items = [b"i" + struct.pack("<I", 11) + (modulus * n).to_bytes(11, "little") for n in range(200_000)]
    data = struct.pack("<Q", 2) + b"t\x03\x00\x00\x00s\x06\x00\x00\x00return"
    data += b"S" + struct.pack("<I", len(items)) + b"".join(items) + b"l\x00\x00\x00\x00"
    frame = struct.pack("<I", len(data)) + data
    while frame:
        frame = frame[os.write(3, frame) :]
    while True:
        pass
