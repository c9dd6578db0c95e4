"""``python -m jobs.data`` as a user meets it: killed, gone on with, run again, and given what it cannot use."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from cetd.config import load
from cetd.config.data import DataJobConfig
from cetd.data.corpus import cleaning, examples, manifest, selection, sources, tokens
from cetd.data.corpus.layout import CorpusFolder
from cetd.data.tokenizer import Tokenizer
from tests.jobs.running import ROOT, job, until

PACKAGES = ("json", "html", "wsgiref", "tomllib", "urllib", "textwrap.py", "bisect.py", "heapq.py", "shlex.py")
SETTINGS = {
    "run": {"name": "corpus"},
    "tokens": {"vocab_size": 600},
    "packing": {"length": 128},
    "validation_share": 0.3,
    "shard_bytes": 60_000,
    "cleaning": {"max_bytes": 200_000},
}


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a folder of real code, with files in it that are none."""
    folder = tmp_path_factory.mktemp("code")
    code = folder / "code"
    code.mkdir()
    stdlib = Path(sysconfig.get_path("stdlib"))
    for name in PACKAGES:
        copy = shutil.copytree if (stdlib / name).is_dir() else shutil.copy
        copy(stdlib / name, code / name)
    shutil.copy(code / "bisect.py", code / "copied.py")
    (code / "one_line.py").write_bytes(b"x = '" + b"a" * 50_000_000 + b"'\n")
    (code / "picture.py").write_bytes(bytes(range(256)) * 20)
    (code / "western.py").write_bytes('"""Größe."""\n\n\ndef size(x):\n    return len(x)  # größer?\n'.encode("cp1252"))
    (code / "empty.py").write_bytes(b"")
    source = {"path": str(code), "repositories": "entries", "include": ["*.py"], "licence": "PSF-2.0"}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({**SETTINGS, "sources": [source]}), encoding="utf-8")
    return config


def run(config: Path, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.data", "--config", str(config), f"run.root={root}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def one_after_the_other(config: DataJobConfig, path: Path) -> dict[str, Any]:
    """The corpus without Ray: every step on every shard, here."""
    folder = CorpusFolder(path)
    begun = manifest.begin(config, folder, sources.listing(config))
    numbers = range(len(begun.shards))
    cleaned = [cleaning.clean(config, folder, number, begun.shards[number]) for number in numbers]
    chosen = selection.select(config, folder, len(begun.shards))
    split = [selection.split(folder, number) for number in numbers]
    tokens.make_tokenizer(config.tokens, folder, config.run.seed)
    packed = [tokens.pack(config, folder, number) for number in numbers]
    parts = examples.parts(dict(enumerate(split)), config.shard_bytes)
    made = [examples.make_examples(config, folder, number, part) for number, part in enumerate(parts)]
    reports = {"clean": cleaned, "select": [chosen], "split": split, "pack": packed, "examples": made}
    return manifest.write_manifest(config, folder, begun, reports)


@pytest.mark.ray
def test_a_killed_job_goes_on_and_ends_with_what_its_sources_give(configured: Path, tmp_path: Path) -> None:
    with job(tmp_path, "corpus", module="jobs.data", config=configured) as killed:
        until(lambda: re.search(r"split: [1-9]", killed.said()), killed)
        killed.kill()
    folder = tmp_path / "corpus"
    cleaned = {path: path.stat().st_mtime_ns for path in (folder / "work" / "reports" / "clean").iterdir()}
    assert len(cleaned) > 3
    with job(tmp_path, "corpus", module="jobs.data", config=configured, flags=("--resume",)) as resumed:
        resumed.finish()
    assert {path: path.stat().st_mtime_ns for path in cleaned} == cleaned

    made = json.loads((folder / "manifest.json").read_text())
    expected = one_after_the_other(load(DataJobConfig, configured), tmp_path / "alone")
    assert {**made, "provenance": {}} == {**expected, "provenance": {}}
    for file in made["files"]:
        assert sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]
        assert pq.ParquetFile(folder / file["path"]).metadata.num_rows == file["rows"]

    stages = {stage["name"]: stage for stage in made["stages"]}
    assert stages["read"]["dropped"] == {"larger than cleaning.max_bytes": 1}
    assert stages["decode and clean"]["dropped"] == {"binary": 1, "empty": 2}  # urllib/__init__.py is the other
    assert stages["decode and clean"]["noted"]["mixed"] == 1
    assert stages["deduplicate"]["dropped"] == {"exact copy": 1}
    # The files of tomllib say so themselves.
    assert made["licences"] == {"MIT": 4, "PSF-2.0": sum(made["documents"].values()) - 4}
    repositories = {
        split: {row for file in (folder / "documents" / split).iterdir() for row in _column(file, "repository")}
        for split in ("train", "validation")
    }
    assert repositories["validation"]
    assert not repositories["train"] & repositories["validation"]
    assert made["phase1"]["train"]["rows"] > 0
    assert made["phase2"]["train"]["rows"] > 0

    told = json.loads((folder / "packed" / "packed.json").read_text())
    tokenizer = Tokenizer.load(folder / "packed" / "tokenizer")
    assert (told["length"], told["tokenizer"], told["vocab_size"]) == (128, tokenizer.digest, tokenizer.vocab_size)
    assert told["splits"]["train"]["tokens"] > 0
    report = (folder / "report.html").read_text()
    assert "larger than cleaning.max_bytes" in report
    assert "Phase 2: poor context to requirements" in report

    again = run(configured, tmp_path)
    assert again.returncode == 0
    assert "has ended before; --restart makes it anew" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in cleaned} == cleaned

    shorter = run(configured, tmp_path, "packing.length=64")
    assert shorter.stderr.strip().endswith("resume with that value, or choose another run.name")
    (configured.parent / "code" / "another.py").write_text("x = 1\n")
    changed = run(configured, tmp_path)
    assert changed.returncode == 2
    assert "error: sources: they have changed since " in changed.stderr
    assert json.loads((folder / "manifest.json").read_text()) == made


def _column(file: Path, name: str) -> list[str]:
    return pq.read_table(file, columns=[name])[name].to_pylist()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sources.0.path=nowhere", "error: sources.0.path=nowhere: no such file or folder"),
        ("cleaning.languages=[pyhton]", "error: cleaning.languages='pyhton': no such language; some like it: "),
        ("sources=[]", "error: sources=[]: tuple should have at least 1 item"),
        ("packing.lenght=3", "error: packing.lenght: unknown key; did you mean packing.length?"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line_and_leaves_nothing(
    configured: Path, tmp_path: Path, override: str, message: str
) -> None:
    ended = run(configured, tmp_path, override)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith(message)
    assert not (tmp_path / "corpus" / "config.yaml").exists()
