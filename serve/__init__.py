"""Ray Serve applications; ``configs/serve/`` names their builders.

A cluster runs them from an unpacked working directory in which nothing is installed: the library beside it is found
here, ahead of any installed copy.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "platform"))
