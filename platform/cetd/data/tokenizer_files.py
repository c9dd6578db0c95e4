"""The files of a tokenizer beside a model's weights, of ours and of the families that are loaded here."""

from __future__ import annotations

from pathlib import Path

NAMES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
)


def tokenizer_files(folder: Path) -> list[Path]:
    """Those that ``folder`` has."""
    return [folder / name for name in NAMES if (folder / name).is_file()]
