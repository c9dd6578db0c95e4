"""Which part of which parameter a process holds: shards of any size, cut where heads, units and tokens end.

20 heads on 3 processes are 7 + 7 + 6. Pure arithmetic over names and dimensions: no tensors, no processes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.parallel.mesh import MeshError


@dataclass(frozen=True)
class Share:
    """Consecutive items ``first`` … ``end`` - 1 of a dimension."""

    first: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.first

    def of_width(self, width: int) -> Share:
        """The same share where each item is ``width`` wide."""
        return Share(self.first * width, self.end * width)


@dataclass(frozen=True)
class Shard:
    """A process's part of a parameter: a share of one of its dimensions."""

    dimension: int
    share: Share


@dataclass(frozen=True)
class Shares:
    """What one process of a tensor-parallel group holds of a model."""

    vocabulary: Share
    heads: Share
    kv_heads: Share
    units: Share


def share(items: int, parts: int, part: int) -> Share:
    """The ``part``-th of ``parts`` consecutive shares, as even as can be, larger ones first."""
    size, larger = divmod(items, parts)
    first = part * size + min(part, larger)
    return Share(first, first + size + (part < larger))


def shares(config: EncoderDecoderConfig | DecoderConfig, degree: int, rank: int) -> Shares:
    """What process ``rank`` of ``degree`` holds. Query heads stay with their key and value head.

    Raises:
        MeshError: a process would hold nothing of a dimension.
    """
    kv_heads = config.n_heads if isinstance(config, EncoderDecoderConfig) else config.n_kv_heads
    for name, items in (
        ("n_heads" if kv_heads == config.n_heads else "n_kv_heads", kv_heads),
        ("d_ff", config.d_ff),
        ("vocab_size", config.vocab_size),
    ):
        if items < degree:
            raise MeshError(
                f"parallel.tensor={degree}: {name}={items} leaves a process without any; use at most {items}"
            )
    held = share(kv_heads, degree, rank)
    return Shares(
        vocabulary=share(config.vocab_size, degree, rank),
        heads=held.of_width(config.n_heads // kv_heads),
        kv_heads=held,
        units=share(config.d_ff, degree, rank),
    )


def shard(name: str, config: EncoderDecoderConfig | DecoderConfig, held: Shares) -> Shard | None:
    """The part of parameter ``name`` that belongs to ``held``; None where every process holds all of it."""
    size = config.d_kv if isinstance(config, EncoderDecoderConfig) else config.d_head
    for pattern, dimension, part in (
        (r"positions\.embedding\.weight$", 1, held.heads),
        (r"^(embedding|embed_tokens|lm_head)\.weight$", 0, held.vocabulary),
        (r"\.q(_proj)?\.weight$", 0, held.heads.of_width(size)),
        (r"\.[kv](_proj)?\.weight$", 0, held.kv_heads.of_width(size)),
        (r"\.o(_proj)?\.weight$", 1, held.heads.of_width(size)),
        (r"\.(wi|gate|gate_proj|up_proj)\.weight$", 0, held.units),
        (r"\.(wo|down_proj)\.weight$", 1, held.units),
    ):
        if re.search(pattern, name):
            return Shard(dimension, part)
    return None
