# expects: out_of_memory
# why: allocates a mebibyte at a time for ever; the memory limit must stop it
x = []
while True:
    x.append(bytearray(1 << 20))
