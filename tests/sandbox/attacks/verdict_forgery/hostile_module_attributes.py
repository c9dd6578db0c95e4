# expects: scored 0/2 | crashed
# why: an import answered with the names that the import system itself looks at; they must not move the tests' imports
import os

import time

from probing import send

constants = {
    "__name__": "os",
    "__path__": ["/tmp"],
    "__spec__": 1,
    "__loader__": 2,
    "__file__": "/tmp/x",
    "__builtins__": {},
    "__class__": 3,
    "__dict__": {},
    "__all__": ["f"],
    1: 2,
}
send(1, ("return", {"functions": ["__getattr__", "__dir__", "__call__", "f", "f"], "values": constants}, [], "", ""))
send(2, ("return", 0, [], "", ""))
send(3, ("return", 0, [], "", ""))
time.sleep(0.05)
os._exit(0)
