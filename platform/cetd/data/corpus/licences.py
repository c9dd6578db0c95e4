"""SPDX names of licences, from a file's header or the licence files of its repository. Metadata, not advice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

UNKNOWN = "unknown"
_HEADER = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*)")
_FILES = re.compile(r"(?:licen[cs]e|copying|unlicense)(?:[.-].*)?$", re.I)
# The first that is found: what contains another's words stands before it.
_PHRASES = {
    "AGPL-3.0": "GNU AFFERO GENERAL PUBLIC LICENSE",
    "LGPL-3.0": "GNU LESSER GENERAL PUBLIC LICENSE Version 3",
    "LGPL-2.1": "GNU LESSER GENERAL PUBLIC LICENSE",
    "GPL-3.0": "GNU GENERAL PUBLIC LICENSE Version 3",
    "GPL-2.0": "GNU GENERAL PUBLIC LICENSE Version 2",
    "MPL-2.0": "Mozilla Public License Version 2.0",
    "Apache-2.0": "Apache License Version 2.0",
    "PSF-2.0": "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2",
    "BSD-3-Clause": "Neither the name of",
    "BSD-2-Clause": "Redistribution and use in source and binary forms",
    "ISC": "Permission to use, copy, modify, and/or distribute this software for any purpose",
    "MIT": "Permission is hereby granted, free of charge, to any person obtaining a copy",
    "Unlicense": "This is free and unencumbered software released into the public domain",
}
_HEAD = 4000
_FILE_BYTES = 100_000


def licence_of_text(text: str) -> str | None:
    """What a file says of itself in its first lines."""
    found = _HEADER.search(text[:_HEAD])
    return found[1] if found else None


def licence_of_repository(files: Iterable[Path]) -> str:
    """What the licence files among ``files`` (the repository's topmost ones) hold; ``unknown`` without."""
    for file in sorted(files):
        if _FILES.fullmatch(file.name) and file.is_file():
            with file.open("rb") as opened:
                words = " ".join(opened.read(_FILE_BYTES).decode("utf-8", "replace").lower().split())
            for name, phrase in _PHRASES.items():
                if phrase.lower() in words:
                    return name
    return UNKNOWN
