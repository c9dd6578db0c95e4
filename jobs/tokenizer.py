"""python -m jobs.tokenizer --config configs/tokenizer/stdlib.yaml [section.field=value …]

Learns tokenizers from the documents of a data job: byte-level BPE and SentencePiece's unigram model, in several
vocabularies, and measures them on held-out documents against a general-purpose tokenizer. runs/<name>/ then holds
<kind>-<vocabulary>/ (what jobs.train takes as its tokenizer, and transformers loads), summary.json and report.html.
The same command goes on where it stopped.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd import durable
from cetd.config.tokenizer import Kind, TokenizerJobConfig
from cetd.run_folder import RunFolder, RunFolderError, runs_root
from jobs.command_line import add_run_arguments, begin, log_to_terminal, one_line_errors, parse

if TYPE_CHECKING:
    from cetd.data.texts import Texts
    from cetd.data.tokenizer import Tokenizer
    from cetd.evaluation.compression import Baseline, Measured
    from cetd.evaluation.report.tokenizers import Cut

log = logging.getLogger("tokenizer")

# Seconds between lines of progress.
LINE_EVERY_S = 10.0
# Beside a tokenizer's own files: how it was learned.
LEARNED = "learned.json"
_EXCERPT_LINES = 16


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(TokenizerJobConfig, __doc__ or "", argv, add_run_arguments)
    log_to_terminal()
    logging.getLogger("mistral_common").setLevel(logging.WARNING)
    with one_line_errors():
        # After the configuration is known to be good: these import pyarrow, sentencepiece and others.
        from cetd.data.texts import open_texts

        train = open_texts(config.train, "train", config.max_training_bytes, config.run.seed)
        validation = open_texts(config.validation, "validation", config.max_validation_bytes, config.run.seed)
        with RunFolder(runs_root(config.run.root), config.run.name) as folder:
            begin(folder, config, arguments)
            run(config, folder, train, validation)


def run(config: TokenizerJobConfig, folder: RunFolder, train: Texts, validation: Texts) -> None:
    """Learn and measure what is not there yet; write the summary and the report, and print the table."""
    from cetd.evaluation.compression import general_purpose

    begun = time.monotonic()
    _same_texts(folder, train, validation)
    log.info(
        "learning from %s, measuring on %s",
        *(f"{_size(one.bytes)}, {one.documents:,} documents" for one in (train, validation)),
    )
    baseline = general_purpose()
    wanted = list(product(config.kinds, config.vocab_sizes))
    measured = []
    for number, (kind, vocab_size) in enumerate(wanted, 1):
        path = folder.path / f"{kind}-{vocab_size}"
        learn(path, kind, vocab_size, train, f"{path.name} ({number} of {len(wanted)})")
        measured.append(measure(path, kind, vocab_size, validation))
    measured.append(measure_baseline(folder.path / "baseline.json", baseline, validation))
    shares = embedding_shares(config.model, measured)
    summary = _summary(config, measured, shares, train, validation, time.monotonic() - begun)
    folder.write_json(folder.summary, summary)
    report = _report(folder, summary, measured, shares, baseline, validation)
    _print(measured, shares, config.model)
    print(f"tokenizers: {folder.path}\nreport: {report}")


def learn(path: Path, kind: Kind, vocab_size: int, train: Texts, title: str) -> None:
    """Learn a tokenizer into the folder ``path``, which is then whole; nothing where it is there already.

    Raises:
        TextsError: the texts cannot be read.
        OSError: the folder cannot be written.
    """
    from cetd.data.tokenizer_training import train_bpe, train_unigram

    if path.exists():
        log.info("%s: is there already", title)
        return
    log.info("%s: learning", title)
    begun = time.monotonic()
    texts = _told(train, title, train.bytes)
    match kind:
        case "bpe":
            tokenizer = train_bpe(texts, vocab_size)
        case "unigram":
            tokenizer = train_unigram(texts, vocab_size)
    seconds = time.monotonic() - begun
    _publish(tokenizer, path, {"kind": kind, "asked": vocab_size, "digest": tokenizer.digest, "seconds": seconds})
    log.info("%s: learned in %.1f s", title, seconds)
    if tokenizer.vocab_size < vocab_size:
        log.warning(
            "%s: the texts support only %s of %s entries; give more text, or ask for fewer",
            *(title, f"{tokenizer.vocab_size:,}", f"{vocab_size:,}"),
        )


def measure(path: Path, kind: Kind, vocab_size: int, validation: Texts) -> Measured:
    """What a learned tokenizer makes of the held-out texts, each of which must survive a round trip."""
    from cetd.data.tokenizer import Tokenizer
    from cetd.evaluation.compression import Measured, compression, exactly

    def measured() -> Measured:
        tokenizer = Tokenizer.load(path)
        seconds = json.loads((path / LEARNED).read_text(encoding="utf-8"))["seconds"]
        found = compression(exactly(tokenizer), validation)
        return Measured.of(path.name, kind, tokenizer.vocab_size, found, vocab_size, seconds)

    row = _once(path / "compression.json", measured)
    log.info("%s: %.3f bytes per token", path.name, row.bytes_per_token)
    return row


def measure_baseline(file: Path, baseline: Baseline, validation: Texts) -> Measured:
    """What the general-purpose tokenizer makes of them."""
    from cetd.evaluation.compression import Measured, compression

    def measured() -> Measured:
        found = compression(baseline.encode_batch, validation)
        return Measured.of(baseline.name, "baseline", baseline.vocab_size, found)

    return _once(file, measured)


def _once(file: Path, measured: Callable[[], Measured]) -> Measured:
    """The row that ``file`` has, which is written where it is not there."""
    from cetd.evaluation.compression import Measured

    if not file.exists():
        durable.write_text(file, json.dumps(asdict(measured()), indent=1))
    return Measured(**json.loads(file.read_text(encoding="utf-8")))


def embedding_shares(model: str, measured: Iterable[Measured]) -> dict[str, float]:
    """By tokenizer, the part of the preset's parameters, from 0 to 1, that embedding and head have with it."""
    from cetd.models.parameters import parameter_table

    preset = configuration.preset(model)
    tables = {row.name: parameter_table(preset.model_copy(update={"vocab_size": row.vocab_size})) for row in measured}
    return {name: table.share("embedding") + table.share("head") for name, table in tables.items()}


def _same_texts(folder: RunFolder, train: Texts, validation: Texts) -> None:
    """Hold a run that goes on to the texts that it began with.

    Raises:
        RunFolderError: they have changed since.
    """
    file, now = folder.path / "texts.json", {"train": train.digest, "validation": validation.digest}
    if not file.exists():
        folder.write_json(file, now)
    before = folder.read_json(file)
    for field, digest in now.items():
        if before[field] != digest:
            raise RunFolderError(
                f"{field}: the texts are not those that {folder.path} was begun with; choose another run.name, or "
                "begin anew with --restart"
            )


def _told(texts: Texts, title: str, size: int) -> Iterator[str]:
    """``texts``, with a line now and then that says how far they are read."""
    done, next_line = 0, time.monotonic() + LINE_EVERY_S
    for text in texts:
        yield text
        done += len(text.encode())
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_EVERY_S
            log.info("%s: %s of %s read", title, _size(done), _size(size))


def _publish(tokenizer: Tokenizer, path: Path, account: dict[str, Any]) -> None:
    """Write the folder aside and rename it, so that one that exists is whole."""
    aside = path.with_name(f".{path.name}.part")
    if aside.exists():
        shutil.rmtree(aside)
    tokenizer.save(aside)
    (aside / LEARNED).write_text(json.dumps(account, indent=1), encoding="utf-8")
    os.rename(aside, path)
    durable.sync_folder(path.parent)


def _summary(
    config: TokenizerJobConfig,
    measured: list[Measured],
    shares: dict[str, float],
    train: Texts,
    validation: Texts,
    wall_s: float,
) -> dict[str, Any]:
    from cetd.evaluation.provenance import provenance

    read = {"train": (config.train, train), "validation": (config.validation, validation)}
    return {
        "status": "finished",
        **{
            field: {
                "folder": str(path),
                **{name: getattr(texts, name) for name in ("documents", "bytes", "lines", "digest", "share")},
            }
            for field, (path, texts) in read.items()
        },
        "model": config.model,
        "tokenizers": [asdict(row) | {"embedding_share": shares[row.name]} for row in measured],
        "seed": config.run.seed,
        "wall_s": wall_s,
        **provenance(),
    }


def _report(
    folder: RunFolder,
    summary: dict[str, Any],
    measured: list[Measured],
    shares: dict[str, float],
    baseline: Baseline,
    validation: Texts,
) -> Path:
    from cetd.data.tokenizer import Tokenizer
    from cetd.evaluation.compression import excerpt
    from cetd.evaluation.report.tokenizers import Cut, write_tokenizer_report

    text = excerpt(validation, _EXCERPT_LINES)
    cuts: list[Cut] = []
    for row in measured[:-1]:
        tokenizer = Tokenizer.load(folder.path / row.name)
        ids = tokenizer.encode(text)
        cuts.append(Cut(row.name, [(each, tokenizer.decode_bytes([each])) for each in ids]))
    [ids] = baseline.encode_batch([text])
    cuts.append(Cut(baseline.name, [(each, baseline.spell(each)) for each in ids]))
    return write_tokenizer_report(folder.path, summary, measured, shares, cuts)


def _print(measured: list[Measured], shares: dict[str, float], model: str) -> None:
    told = f"{measured[-1].name}: Mistral's general-purpose tokenizer; embedding: share of {model}'s parameters"
    table = Table(title="on held-out code", title_justify="left", caption=told, caption_justify="left")
    table.add_column("tokenizer", no_wrap=True)
    for name in ("asked", "entries", "bytes/\ntoken", "tokens/\nline", "embed-\nding", "learned\nin"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in measured:
        asked = f"{row.asked:,}" if row.asked else "–"
        seconds = "–" if row.seconds is None else f"{row.seconds:.1f} s"
        figures = (f"{row.bytes_per_token:.3f}", f"{row.tokens_per_line:.2f}", f"{shares[row.name]:.1%}")
        table.add_row(row.name, asked, f"{row.vocab_size:,}", *figures, seconds)
    Console().print(table)


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


if __name__ == "__main__":
    main()
