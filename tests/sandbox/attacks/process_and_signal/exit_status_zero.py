# expects: crashed
# why: ends with status 0 at import, which harnesses that look at the status take for a pass
import os

os._exit(0)
