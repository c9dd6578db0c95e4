"""What a served model is asked, and what it answers: the values that travel between gateway and model.

Failure is a value here, so that it crosses the boundary as what it is: an input that is too long is the client's fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cetd.config import SamplingConfig
from cetd.data.phases.sections import sections, untagged
from cetd.generation.continuous import Finish

# Structure tokens as clients know them.
KINDS = {
    "<FUNCTIONAL_REQ>": "functional",
    "<NON_FUNCTIONAL_REQ>": "non_functional",
    "<CONSTRAINT>": "constraint",
    "<API_CALL>": "api_call",
    "<CLASS_DEF>": "class",
    "<FUNCTION_DEF>": "function",
}
# What stands outside any structure token.
PLAIN_KIND = "functional"


@dataclass(frozen=True)
class Ask:
    """Inputs, and how to write: the seed of each is derived from ``seed`` and its place."""

    inputs: tuple[str, ...]
    sampling: SamplingConfig
    seed: int = 0


@dataclass(frozen=True)
class Text:
    """What was written for one input, and how long it took: milliseconds since the model got the request.

    ``queue_ms`` is until it joined the running batch, ``first_token_ms`` until its first token.
    """

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int
    queue_ms: float
    first_token_ms: float
    total_ms: float


@dataclass(frozen=True)
class Piece:
    """Some more of a text that is being written."""

    text: str


@dataclass(frozen=True)
class Answer:
    """The texts of a request, and the version of the model that wrote all of them."""

    model_version: str
    texts: tuple[Text, ...]


@dataclass(frozen=True)
class TooLong:
    """The input at ``place`` has more tokens than are read, or none at all; nothing was written."""

    place: int
    tokens: int
    limit: int


def items(text: str) -> list[dict[str, str]]:
    """The requirements of ``text`` as ``{kind, text}``, section by section; plain lines are functional ones."""
    plain = [{"kind": PLAIN_KIND, "text": line} for line in untagged(text)]
    return plain + [{"kind": KINDS[tag], "text": said} for tag, texts in sections(text).items() for said in texts]


def milliseconds(texts: Sequence[Text]) -> dict[str, float]:
    """The timings of a request: of its slowest text."""
    return {
        name: round(max((getattr(text, name) for text in texts), default=0.0), 3)
        for name in ("queue_ms", "first_token_ms", "total_ms")
    }
