"""The configuration of ``python -m jobs.tokenizer``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cetd.config.feedback import RunConfig
from cetd.config.models import presets
from cetd.config.section import Positive, Section

Kind = Literal["bpe", "unigram"]
VocabSize = Annotated[int, Field(ge=8_000, le=50_000)]


class TokenizerJobConfig(Section):
    """The whole of ``python -m jobs.tokenizer``."""

    MAY_CHANGE = ("run.root", "model")

    run: RunConfig = RunConfig(name="tokenizer")
    train: Path = Field(
        description="folder of Parquet files with a column text to learn from, such as runs/stdlib/documents/train"
    )
    validation: Path = Field(description="likewise, held out: what the compression is measured on")
    kinds: tuple[Kind, ...] = Field(
        default=("bpe", "unigram"),
        min_length=1,
        description="bpe: byte-level byte-pair encoding; unigram: SentencePiece's language model over bytes",
    )
    vocab_sizes: tuple[VocabSize, ...] = Field(
        default=(8_192, 16_000, 32_000), min_length=1, description="vocabularies to learn of each kind, 8000 to 50000"
    )
    max_training_bytes: Positive = Field(
        default=200_000_000, description="of more text than this, documents are drawn by run.seed to learn from"
    )
    max_validation_bytes: Positive = Field(default=20_000_000, description="likewise, to measure on")
    model: str = Field(default="cetd-1b", description="preset whose embedding's share of the parameters is told")

    @field_validator("kinds", "vocab_sizes")
    @classmethod
    def _each_once(cls, values: tuple[Kind | int, ...]) -> tuple[Kind | int, ...]:
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ValueError(f"{twice[0]} is named twice; name each once")
        return values

    @field_validator("model")
    @classmethod
    def _is_a_preset(cls, name: str) -> str:
        if name not in presets():
            raise ValueError(f"preset {name!r} is not under configs/model/; known: {', '.join(presets())}")
        return name

    @model_validator(mode="after")
    def _validation_is_held_out(self) -> TokenizerJobConfig:
        if self.train.absolute() == self.validation.absolute():
            raise ValueError(f"validation={self.validation}: is what is learned from; give a folder that is held out")
        return self
