"""What a model of phase 2 has to beat: the requirements of the nearest training example, and the signature alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cetd.data.phases.bm25 import Index, ranked
from cetd.data.phases.sections import written

_HEADER = re.compile(r"^(?:(async )?def|class) +(.+?):?$", re.MULTILINE)


class Nearest:
    """Copies the target of the training example whose input BM25 finds nearest.

    Raises:
        ValueError: no examples.
    """

    def __init__(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        self._index, self._targets = Index(inputs), targets

    def __call__(self, text: str) -> str:
        return self._targets[ranked(self._index.scores(text))[0]]


def signature_only(text: str) -> str:
    """The header of the asked-about function or class in a phase-2 input, the first one's where that is not there."""
    asked = text.split("\n", 1)[0].rpartition(": ")[2]
    headers = list(_HEADER.finditer(text))
    named = [header for header in headers if re.match(rf"{re.escape(asked)}\b", header[2])]
    if not headers:
        return ""
    header = (named or headers)[0]
    is_class = header[0].startswith("class")
    return written({"<CLASS_DEF>" if is_class else "<FUNCTION_DEF>": [f"{header[1] or ''}{header[2]}"]})
