"""The corpus on Ray, where it cannot be made. That it can, tests/jobs/test_data.py holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.corpus import build
from cetd.config import validate
from cetd.config.data import DataJobConfig
from cetd.data.corpus import manifest, sources
from cetd.data.corpus.layout import CorpusFolder


def made(path: Path, source: dict[str, Any]) -> None:
    config = validate(DataJobConfig, {"sources": [source]})
    begun = manifest.begin(config, CorpusFolder(path), sources.listing(config))
    build(config, path, begun, lambda step, done, total: None)


@pytest.mark.ray
def test_a_corpus_of_which_nothing_is_left_says_where_it_went(tmp_path: Path, local_ray: None) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_bytes(b"\x00\x01\x02" * 100)
    (code / "b.py").write_bytes(b"x = 1\n")
    with pytest.raises(ValueError, match=r"no document is left of them \(1 binary, 1 too short\); change sources"):
        made(tmp_path / "run", {"path": str(code)})


@pytest.mark.ray
def test_what_a_worker_cannot_understand_is_one_line_here(tmp_path: Path, local_ray: None) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "x = 1"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows\.jsonl: byte 18: not JSON") as error:
        made(tmp_path / "run", {"kind": "table", "path": str(tmp_path / "rows.jsonl")})
    assert "\n" not in str(error.value)
