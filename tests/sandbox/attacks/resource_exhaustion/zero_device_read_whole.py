# expects: out_of_memory
# why: reads a device without end into memory; the memory limit must stop it
def f(x):
    with open("/dev/zero", "rb") as file:
        return file.read()
