"""What copies of a document have in common: a hash of its words, and a MinHash signature of their shingles."""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from datasketch import MinHash

from cetd.config.data import DeduplicationConfig

_TOKEN = re.compile(r"\w+|[^\w\s]")
# One seed for all corpora: signatures of different runs can be compared.
_SEED = 1


def schema(permutations: int) -> pa.Schema:
    """``exact`` (16 bytes), ``signature`` (permutations) and what decides about a document."""
    return pa.schema(
        [
            ("repository", pa.string()),
            ("bytes", pa.int64()),
            ("exact", pa.binary(16)),
            ("signature", pa.list_(pa.uint32(), permutations)),
        ]
    )


def fingerprints(rows: pa.Table, config: DeduplicationConfig) -> pa.Table:
    """A row of :func:`schema` for each document. White space does not count, so that indentation is no difference."""
    exact, signatures = [], []
    for text in rows["text"]:
        tokens = _TOKEN.findall(text.as_py())
        exact.append(blake2b(" ".join(tokens).encode(), digest_size=16).digest())
        signatures.append(signature(tokens, config))
    flat = pa.array(np.concatenate(signatures) if signatures else [], pa.uint32())
    columns = [
        rows["repository"].combine_chunks(),
        pa.array([len(text.as_py()) for text in rows["text"]], pa.int64()),
        pa.array(exact, pa.binary(16)),
        pa.FixedSizeListArray.from_arrays(flat, config.permutations),
    ]
    return pa.table(columns, schema=schema(config.permutations))


def signature(tokens: list[str], config: DeduplicationConfig) -> np.ndarray:
    """MinHash values (permutations,) of the set of shingles of ``tokens`` (Broder 1997)."""
    size = min(config.shingle, len(tokens))
    shingles = {"\x00".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1)}
    minhash = MinHash(num_perm=config.permutations, seed=_SEED, hashfunc=_hashed)
    minhash.update_batch(sorted(shingle.encode() for shingle in shingles))
    return np.asarray(minhash.hashvalues, np.uint32)


def _hashed(shingle: bytes) -> int:
    return int.from_bytes(blake2b(shingle, digest_size=4).digest(), "little")
