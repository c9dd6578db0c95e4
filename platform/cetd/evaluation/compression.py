"""What a tokenizer makes of held-out text: bytes per token, tokens per line, against a general-purpose tokenizer.

The baseline is Mistral's Tekken (November 2024), which comes with vLLM's dependencies and so needs no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import mistral_common
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from cetd.data.texts import line_count
from cetd.data.tokenizer import Tokenizer

_TEKKEN = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
_BATCH = 32

EncodeBatch = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True)
class Compression:
    """Sums over documents; bytes are those of UTF-8."""

    documents: int
    bytes: int
    lines: int
    tokens: int

    @property
    def bytes_per_token(self) -> float:
        return self.bytes / self.tokens

    @property
    def tokens_per_line(self) -> float:
        return self.tokens / self.lines


@dataclass(frozen=True)
class Measured:
    """A tokenizer's row in the table of a run.

    ``asked``: the vocabulary that was configured; None for one that was not learned here, as ``seconds`` of learning.
    """

    name: str
    kind: str
    asked: int | None
    vocab_size: int
    bytes_per_token: float
    tokens_per_line: float
    tokens: int
    seconds: float | None

    @staticmethod
    def of(
        name: str,
        kind: str,
        vocab_size: int,
        found: Compression,
        asked: int | None = None,
        seconds: float | None = None,
    ) -> Measured:
        """The row of a tokenizer that ``found`` was measured with."""
        return Measured(
            name, kind, asked, vocab_size, found.bytes_per_token, found.tokens_per_line, found.tokens, seconds
        )


@dataclass(frozen=True)
class Baseline:
    """A tokenizer that somebody else made: ``spell`` gives the bytes of one of its ids."""

    name: str
    vocab_size: int
    encode_batch: EncodeBatch
    spell: Callable[[int], bytes]


def general_purpose() -> Baseline:
    """Tekken: byte-level BPE of 131,072 tokens, learned from prose and code in many languages."""
    tekken = Tekkenizer.from_file(_TEKKEN)

    def encode_batch(texts: Sequence[str]) -> list[list[int]]:
        return [tekken.encode(text, bos=False, eos=False) for text in texts]

    return Baseline(_TEKKEN.stem, tekken.n_words, encode_batch, tekken.id_to_byte_piece)


def compression(encode_batch: EncodeBatch, texts: Iterable[str]) -> Compression:
    """Encode every text; ``texts`` must not all be empty."""
    documents = size = lines = tokens = 0
    for batch in _batches(texts):
        encoded = encode_batch(batch)
        documents += len(batch)
        size += sum(len(text.encode()) for text in batch)
        lines += sum(map(line_count, batch))
        tokens += sum(map(len, encoded))
    return Compression(documents, size, lines, tokens)


def exactly(tokenizer: Tokenizer) -> EncodeBatch:
    """``tokenizer.encode_batch``, which holds it to its promise on every text."""

    def encode_batch(texts: Sequence[str]) -> list[list[int]]:
        encoded = tokenizer.encode_batch(texts)
        for text, ids in zip(texts, encoded, strict=True):
            assert tokenizer.decode(ids) == text, f"no round trip: {text[:80]!r} …"
        return encoded

    return encode_batch


def excerpt(texts: Iterable[str], lines: int) -> str:
    """Lines out of the middle of the first text that has thrice as many; of the first text where none has."""
    first = ""
    for text in texts:
        split = text.splitlines(keepends=True)
        first = first or "".join(split[:lines])
        if len(split) >= 3 * lines:
            return "".join(split[len(split) // 2 :][:lines])
    return first


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while batch := list(islice(rest, _BATCH)):
        yield batch
