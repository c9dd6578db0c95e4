"""The third step: a tokenizer, and the documents as rows of tokens of equal length.

Every document, or piece of one that is longer than a row, is put in fill-in-the-middle order by a chance of its own,
so that what becomes of it does not depend on its shard. The last piece of a document carries its end token.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from cetd import durable
from cetd.config.data import DataJobConfig, TokensConfig
from cetd.data.corpus.counts import Stage
from cetd.data.corpus.fim import EXTRA, FimIds, rearranged
from cetd.data.corpus.layout import SPLITS, CorpusFolder, Report, peak_mib
from cetd.data.corpus.packing import packed, pieces
from cetd.data.texts import open_texts
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.data.tokenizer_training import train_bpe, train_unigram
from cetd.seeds import derive

STEP = "pack"


def make_tokenizer(config: TokensConfig, folder: CorpusFolder, seed: int) -> Tokenizer:
    """The tokenizer that is named, or one trained on the training documents; it stands in ``tokenizer/`` then.

    ``seed`` draws the documents where there are more than it is trained on.

    Raises:
        ValueError: there is none in the folder named, or the vocabulary is too small.
    """
    if (folder.tokenizer / "tokenizer.json").exists():
        return Tokenizer.load(folder.tokenizer)
    if config.path:
        tokenizer = Tokenizer.load(config.path)
    else:
        train = {"bpe": train_bpe, "unigram": train_unigram}[config.kind]
        texts = open_texts(folder.path / "documents" / "train", "sources", config.max_training_bytes, seed)
        tokenizer = train(texts, config.vocab_size)
    tokenizer.save(folder.tokenizer)
    return tokenizer


def pack(config: DataJobConfig, folder: CorpusFolder, shard: int) -> Report:
    """Write the rows of a shard's documents."""
    if done := folder.read_report(STEP, shard):
        return done
    tokenizer = Tokenizer.load(folder.tokenizer)
    files, tallies = [], {}
    stage = Stage("pack")
    for name in SPLITS:
        path = folder.documents(name, shard)
        if not path.exists():
            continue
        documents = pq.read_table(path, columns=["repository", "path", "text"])
        orders: Counter[str] = Counter()
        sequences = list(_sequences(documents, tokenizer, config, orders))
        rows = packed(sequences, config.packing.length)
        tokens = sum(map(len, sequences))
        files.append(folder.write_table(folder.output("packed", name, shard), rows))
        tallies[f"packed, {name}"] = {"rows": rows.num_rows, "tokens": tokens}
        stage += Stage("pack", documents.num_rows, documents.num_rows, 4 * tokens, {}, dict(orders))
    report = Report((stage,), tuple(files), tallies, peak_mib())
    folder.write_report(STEP, shard, report)
    return report


def describe(config: DataJobConfig, folder: CorpusFolder, tallies: Mapping[str, Mapping[str, int]]) -> None:
    """``packed/packed.json`` and a copy of the tokenizer: all that training on the rows needs to know."""
    counts = {split: tallies.get(f"packed, {split}", {"rows": 0, "tokens": 0}) for split in SPLITS}
    tokenizer = Tokenizer.load(folder.tokenizer)
    tokenizer.save(folder.packed / "tokenizer")
    told = {
        "length": config.packing.length,
        "vocab_size": tokenizer.vocab_size,
        "tokenizer": tokenizer.digest,
        "splits": counts,
    }
    durable.write_text(folder.packed / "packed.json", json.dumps(told, indent=1))


def _sequences(
    documents: pa.Table, tokenizer: Tokenizer, config: DataJobConfig, orders: Counter[str]
) -> Iterator[Sequence[int]]:
    packing, marks = config.packing, FimIds.of(tokenizer)
    longest = packing.length - EXTRA
    for batch in documents.to_batches(64):
        rows = batch.to_pylist()
        for row, ids in zip(rows, tokenizer.encode_batch([row["text"] for row in rows]), strict=True):
            cut = pieces(ids, longest - 1)
            for number, piece in enumerate(cut):
                seed = derive("fim", config.run.seed, row["repository"], row["path"], number)
                sequence, order = rearranged(piece, marks, packing.fim_rate, packing.spm_rate, seed)
                orders[order] += 1
                yield [*sequence, EOS_ID] if number == len(cut) - 1 else sequence
