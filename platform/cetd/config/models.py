"""Dimensions of the two model families."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cetd.config.loading import read, validate
from cetd.config.section import Positive, PositiveFloat, Section

PRESETS = Path(__file__).parents[3] / "configs" / "model"


class EncoderDecoderConfig(Section):
    """Dimensions of a T5-family encoder-decoder."""

    family: Literal["encoder-decoder"] = Field(default="encoder-decoder", description="which family the model is of")
    vocab_size: Positive = Field(
        default=1024, description="rows of the embedding; set from the tokenizer where one is made"
    )
    d_model: Positive = Field(default=128, description="width of the residual stream")
    d_ff: Positive = Field(default=384, description="inner width of the feed-forward block")
    d_kv: Positive = Field(default=32, description="size of one attention head")
    n_heads: Positive = Field(
        default=4, description="attention heads; n_heads * d_kv may differ from d_model, as in T5"
    )
    encoder_layers: Positive = Field(default=3, description="layers of the encoder")
    decoder_layers: Positive = Field(default=3, description="layers of the decoder")
    feed_forward: Literal["relu", "gated-gelu"] = Field(
        default="relu", description="T5 v1.0 uses relu, v1.1 gated-gelu"
    )
    tied_lm_head: bool = Field(
        default=True, description="share the embedding with the output head (scaled by d_model**-0.5)"
    )
    relative_buckets: Annotated[int, Field(ge=4)] = Field(default=32, description="relative position buckets")
    relative_max_distance: Positive = Field(default=128, description="distance from which all positions share a bucket")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="dropout rate while training")
    norm_eps: PositiveFloat = Field(default=1e-6, description="epsilon of T5's RMS norm")

    @model_validator(mode="after")
    def _distances_fit_buckets(self) -> EncoderDecoderConfig:
        if self.relative_max_distance <= self.relative_buckets // 2:
            raise ValueError(
                f"relative_max_distance={self.relative_max_distance} must exceed half of "
                f"relative_buckets={self.relative_buckets}: raise it above {self.relative_buckets // 2}"
            )
        return self


class DecoderConfig(Section):
    """Dimensions of a Llama-family decoder-only language model."""

    family: Literal["decoder"] = Field(default="decoder", description="which family the model is of")
    vocab_size: Positive = Field(
        default=1024, description="rows of the embedding; set from the tokenizer where one is made"
    )
    d_model: Positive = Field(default=128, description="width of the residual stream")
    d_ff: Positive = Field(default=384, description="inner width of the SwiGLU block")
    d_head: Positive = Field(default=32, description="size of one attention head; even, because RoPE rotates pairs")
    n_heads: Positive = Field(default=4, description="query heads")
    n_kv_heads: Positive = Field(
        default=4, description="key and value heads; divides n_heads (grouped-query attention)"
    )
    n_layers: Positive = Field(default=4, description="layers")
    tied_lm_head: bool = Field(default=True, description="share the embedding with the output head")
    max_positions: Positive = Field(default=256, description="longest sequence")
    positions: Literal["rotary", "learned"] = Field(
        default="rotary", description="rotary, as Llama has them, or learned: a vector for each of max_positions"
    )
    rope_theta: PositiveFloat = Field(default=10_000.0, description="base of the rotary frequencies")
    norm_eps: PositiveFloat = Field(default=1e-6, description="epsilon of the RMS norm")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="dropout rate while training")

    @model_validator(mode="after")
    def _heads_divide(self) -> DecoderConfig:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_kv_heads={self.n_kv_heads} must divide n_heads={self.n_heads}")
        if self.d_head % 2:
            raise ValueError(f"d_head={self.d_head} must be even: RoPE rotates pairs")
        return self


def presets() -> list[str]:
    """Names of the presets under ``configs/model/``."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset(name: str) -> EncoderDecoderConfig | DecoderConfig:
    """The model of that name under ``configs/model/``.

    Raises:
        ConfigError: there is none, or its file is wrong.
    """
    return validate(_Preset, {"model": name}).model


def _from_preset(model: Any) -> Any:
    """A preset's name, or a section whose ``preset`` names one and whose other keys differ from it, as a section."""
    given = {"preset": model} if isinstance(model, str) else model
    if not isinstance(given, dict) or "family" in given:
        return model
    if "preset" not in given:
        raise ValueError(f"{given} gives neither preset (known: {', '.join(presets())}) nor family")
    name = given["preset"]
    if name not in presets():
        raise ValueError(f"preset {name!r} is not under configs/model/; known: {', '.join(presets())}")
    return read(PRESETS / f"{name}.yaml") | {key: value for key, value in given.items() if key != "preset"}


# A model by its dimensions (`family` first), by the name of a preset, or by a preset and what differs from it.
ModelConfig = Annotated[
    Annotated[EncoderDecoderConfig | DecoderConfig, Field(discriminator="family")], BeforeValidator(_from_preset)
]


class _Preset(Section):
    model: ModelConfig
