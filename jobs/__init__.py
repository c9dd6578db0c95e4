"""Entry points for ``ray job submit`` and ``python -m jobs.NAME``.

A submitted job runs from an unpacked working directory in which nothing is installed: the library beside it is found
here, ahead of any installed copy.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "platform"))
