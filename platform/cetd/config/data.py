"""The whole of ``python -m jobs.data``: sources of code, what is kept of them, and what is made of that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from cetd.config.feedback import RunConfig
from cetd.config.phases import Phase1Config, Phase2Config
from cetd.config.section import Fraction, Name, Positive, PositiveFloat, Section


class FolderSourceConfig(Section):
    """Files below a folder; git checkouts in it are repositories of their own."""

    kind: Literal["folder"] = Field(
        default="folder", description="folder: files; stdlib: this Python's library; table: Parquet or JSON lines"
    )
    path: Path = Field(description="folder of code, or of git checkouts")
    name: Name | None = Field(default=None, description="name in the manifest; unset: the folder's own")
    repositories: Literal["folder", "entries"] = Field(
        default="folder",
        description="what is a repository, where there is no git: the whole folder, or each entry in it",
    )
    include: tuple[str, ...] = Field(default=("**",), min_length=1, description="globs of paths that are taken")
    exclude: tuple[str, ...] = Field(default=(), description="globs of paths that are left")
    licence: str | None = Field(default=None, description="SPDX name; unset: found in the files of the repository")


class StdlibSourceConfig(Section):
    """The standard library of the Python that runs the job; each module or package is a repository."""

    kind: Literal["stdlib"] = Field(default="stdlib", description="as above")
    name: Name | None = Field(default="stdlib", description="name in the manifest")
    include: tuple[str, ...] = Field(default=("**",), min_length=1, description="globs of paths that are taken")
    exclude: tuple[str, ...] = Field(default=(), description="globs of paths that are left")
    licence: str | None = Field(default="PSF-2.0", description="SPDX name")


class TableSourceConfig(Section):
    """Rows of Parquet files or JSON lines with a column of texts."""

    kind: Literal["table"] = Field(default="table", description="as above")
    path: Path = Field(description="file, or folder of *.parquet or *.jsonl")
    name: Name | None = Field(default=None, description="name in the manifest; unset: that of the file or folder")
    text: str = Field(default="text", description="column of texts")
    repository: str | None = Field(default=None, description="column of repositories' names; unset: the file is one")
    file: str | None = Field(default=None, description="column of paths, for the language; unset: numbered rows")
    language: str | None = Field(default=None, description="language of all rows; unset: from their paths")
    licence: str | None = Field(default=None, description="SPDX name of all rows")


SourceConfig = Annotated[
    Annotated[FolderSourceConfig, Tag("folder")]
    | Annotated[StdlibSourceConfig, Tag("stdlib")]
    | Annotated[TableSourceConfig, Tag("table")],
    Discriminator(lambda value: value.get("kind", "folder") if isinstance(value, dict) else value.kind),
]


class CleaningConfig(Section):
    """What a file must be like to be read at all."""

    max_bytes: Positive = Field(default=1_000_000, description="larger files are dropped unread")
    languages: tuple[str, ...] = Field(
        default=(), description="languages that are kept, such as python; none: every known one"
    )
    min_quality: Fraction = Field(default=0.5, description="lowest quality score that is kept; 0 keeps all")
    max_line: Positive = Field(default=1000, description="a longer line makes a file minified, or data")


class DeduplicationConfig(Section):
    """What counts as the same document twice."""

    near_threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.8, description="Jaccard similarity of token shingles from which documents are copies"
    )
    shingle: Positive = Field(default=5, description="tokens in a shingle")
    permutations: Annotated[int, Field(ge=16, le=512)] = Field(default=128, description="hashes of a MinHash signature")


class TokensConfig(Section):
    """The tokenizer: one that is there, or one that is trained on the training documents."""

    path: Path | None = Field(default=None, description="folder with tokenizer.json; unset: it is trained")
    kind: Literal["bpe", "unigram"] = Field(default="bpe", description="byte-level BPE, or SentencePiece unigram")
    vocab_size: Positive = Field(default=8192, description="entries of a tokenizer that is trained")
    max_training_bytes: Positive = Field(default=50_000_000, description="text that it is trained on, at most")


class PackingConfig(Section):
    """Rows of equal length for language models; documents in a row do not see each other."""

    length: Annotated[int, Field(ge=8)] = Field(default=1024, description="tokens in a row")
    fim_rate: Fraction = Field(default=0.5, description="share of documents in fill-in-the-middle order")
    spm_rate: Fraction = Field(
        default=0.5,
        description="share of those in the order suffix, prefix, middle; the others: prefix, suffix, middle",
    )


class DataParallelConfig(Section):
    """How the work is cut and spread."""

    tasks: Positive | None = Field(default=None, description="shards at work at once; unset: one per CPU")
    cpus: PositiveFloat = Field(default=1.0, description="CPUs that Ray sets aside per task")


class DataJobConfig(Section):
    """The whole of ``python -m jobs.data``."""

    MAY_CHANGE = ("run.root", "parallel")

    run: RunConfig = RunConfig(name="data")
    sources: tuple[SourceConfig, ...] = Field(min_length=1, description="where code comes from")
    cleaning: CleaningConfig = CleaningConfig()
    scrub_secrets: bool = Field(default=True, description="replace keys, tokens and e-mail addresses")
    deduplication: DeduplicationConfig = DeduplicationConfig()
    validation_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1, description="share of the text whose repositories are for validation"
    )
    tokens: TokensConfig = TokensConfig()
    packing: PackingConfig = PackingConfig()
    phase1: Phase1Config = Phase1Config()
    phase2: Phase2Config = Phase2Config()
    shard_bytes: Positive = Field(default=4_000_000, description="text in a shard, the unit of work and of resuming")
    max_repository_bytes: Positive = Field(
        default=2_000_000, description="text of a repository that phases 1 and 2 look at together; more is cut in parts"
    )
    parallel: DataParallelConfig = DataParallelConfig()

    @model_validator(mode="after")
    def _names_differ(self) -> DataJobConfig:
        names = [source_name(source) for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"sources: two are called {twice[0]!r}; give each a name of its own")
        return self


def source_name(source: FolderSourceConfig | StdlibSourceConfig | TableSourceConfig) -> str:
    """As given, else that of its file or folder."""
    if source.name:
        return source.name
    return "stdlib" if isinstance(source, StdlibSourceConfig) else source.path.absolute().name
