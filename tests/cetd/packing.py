"""Packed data small enough for a test: lines of code that can be learned."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from cetd.data.packed import write_packed
from cetd.data.tokenizer import EOS_ID, Tokenizer

NAMES = ("total", "value", "items", "result", "index", "count", "word", "line")


def program(rng: Random) -> str:
    first, second = rng.sample(NAMES, 2)
    body = rng.choice([f"{first} + {second}", f"max({first}, {second})", f"[{first}, {second}]"])
    return f"def join({first}, {second}):\n    {first} = {body}\n    return {first}\n"


def tokenizer_of_programs(vocab_size: int = 350) -> Tokenizer:
    return Tokenizer.train([program(Random(seed)) for seed in range(200)], vocab_size)


def packed_rows(tokenizer: Tokenizer, count: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and documents, both (count, length); the last places of a row are padding where a document is left out."""
    rng = Random(seed)
    tokens, documents = np.zeros((count, length), np.int32), np.zeros((count, length), np.int32)
    for row in range(count):
        filled, number = 0, 0
        while True:
            ids = [*tokenizer.encode(program(rng)), EOS_ID]
            if filled + len(ids) > length:
                break
            number += 1
            tokens[row, filled : filled + len(ids)] = ids
            documents[row, filled : filled + len(ids)] = number
            filled += len(ids)
        assert number > 1, "several documents to a row"
    return tokens, documents


def make_packed(folder: Path, length: int = 64, train: int = 96, validation: int = 12) -> Path:
    tokenizer = tokenizer_of_programs()
    splits = {
        "train": packed_rows(tokenizer, train, length, 0),
        "validation": packed_rows(tokenizer, validation, length, 1),
    }
    write_packed(folder, tokenizer, splits)
    return folder
