"""The first step: the files of a shard become clean documents with their fingerprints."""

from __future__ import annotations

import pyarrow as pa

from cetd.config.data import DataJobConfig
from cetd.data.corpus.counts import Stage, added, sifted
from cetd.data.corpus.decoding import decoded
from cetd.data.corpus.document import DOCUMENT
from cetd.data.corpus.fingerprints import fingerprints
from cetd.data.corpus.fingerprints import schema as fingerprint_schema
from cetd.data.corpus.languages import in_languages
from cetd.data.corpus.layout import CorpusFolder, Report, peak_mib
from cetd.data.corpus.quality import scored
from cetd.data.corpus.reading import raw
from cetd.data.corpus.secrets import scrubbed
from cetd.data.corpus.sources import Shard

STEP = "clean"


def clean(config: DataJobConfig, folder: CorpusFolder, number: int, shard: Shard) -> Report:
    """Read, decode, sift and scrub a shard.

    Raises:
        TableError: a row of a table cannot be understood.
        OSError: a file cannot be read, or the disk is full.
    """
    if done := folder.read_report(STEP, number):
        return done
    tables: list[pa.Table] = []
    stages: list[list[Stage]] = []
    for batch, read in raw(shard, config):
        rows, counted = cleaned(batch, config)
        tables.append(rows)
        stages.append([read, *counted])
    documents = pa.concat_tables(tables) if tables else DOCUMENT.empty_table()
    marks = [fingerprints(rows, config.deduplication) for rows in tables]
    schema = fingerprint_schema(config.deduplication.permutations)
    folder.write_table(folder.fingerprints(number), pa.concat_tables([schema.empty_table(), *marks]))
    folder.write_table(folder.clean(number), documents)
    report = Report(tuple(added(stages)), (), {}, peak_mib())
    folder.write_report(STEP, number, report)
    return report


def cleaned(rows: pa.Table, config: DataJobConfig) -> tuple[pa.Table, list[Stage]]:
    """Raw documents through every stage that looks at one document at a time."""
    rows, language = in_languages(rows, config.cleaning.languages)
    rows, decoding = decoded(rows, config.cleaning)
    rows, quality = scored(rows, config.cleaning.min_quality)
    rows, secrets = scrubbed(rows) if config.scrub_secrets else _unscrubbed(rows)
    return rows.select(DOCUMENT.names).cast(DOCUMENT), [language, decoding, quality, secrets]


def _unscrubbed(rows: pa.Table) -> tuple[pa.Table, Stage]:
    none = pa.array([0] * rows.num_rows, pa.int32())
    return sifted("secrets", rows.append_column("scrubbed", none), [None] * rows.num_rows)
