# expects: scored 2/2 | crashed
# why: patches the sandbox's own code in the copy that it has; the next run must be served by whole code
import sys

for name, module in list(sys.modules.items()):
    if name.startswith("cetd.sandbox.") and name != "cetd.sandbox.candidate":
        for key, value in list(vars(module).items()):
            if callable(value) and not isinstance(value, type) and key not in ("decode", "encode", "main"):
                if key not in ("send_frame", "receive_frame", "_receive", "_decode", "_encode", "_blob", "_scalar"):
                    if key != "_encode_scalar":
                        setattr(module, key, None)


def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
