# expects: scored 2/2
# why: leaves modules, byte code and unreadable folders where the next run would find them first
import os
import py_compile

for name in ("random", "json", "app", "test_app", "sitecustomize", "usercustomize", "witness"):
    with open(f"/tmp/{name}.py", "w") as file:
        file.write("raise SystemExit('attack-mark')\n")
    py_compile.compile(f"/tmp/{name}.py")
os.makedirs("/tmp/attack-mark/deep/er")
os.chmod("/tmp/attack-mark", 0)
os.chmod("/tmp", 0)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
