"""The parameter table is that of the built model."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.parameters import COMPONENTS, component_of, on_meta, parameter_table

SIZES = st.integers(1, 24)

ENCODER_DECODERS = st.builds(
    EncoderDecoderConfig,
    vocab_size=SIZES,
    d_model=SIZES,
    d_ff=SIZES,
    d_kv=SIZES,
    n_heads=st.integers(1, 4),
    encoder_layers=st.integers(1, 3),
    decoder_layers=st.integers(1, 3),
    feed_forward=st.sampled_from(["relu", "gated-gelu"]),
    tied_lm_head=st.booleans(),
)
DECODERS = st.builds(
    DecoderConfig,
    vocab_size=SIZES,
    d_model=SIZES,
    d_ff=SIZES,
    d_head=SIZES.map(lambda half: 2 * half),
    n_heads=st.sampled_from([2, 4]),
    n_kv_heads=st.sampled_from([1, 2]),
    n_layers=st.integers(1, 3),
    tied_lm_head=st.booleans(),
)


@settings(deadline=None)
@given(config=ENCODER_DECODERS | DECODERS)
def test_components_add_up_to_the_built_model(config: EncoderDecoderConfig | DecoderConfig) -> None:
    model = EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)
    table = parameter_table(config)
    assert tuple(table.counts) == COMPONENTS
    assert table.total == sum(parameter.numel() for parameter in model.parameters())
    assert sum(table.share(component) for component in COMPONENTS) == pytest.approx(1)
    assert table.counts["embedding"] == config.vocab_size * config.d_model
    assert table.counts["head"] == (0 if config.tied_lm_head else config.vocab_size * config.d_model)


def test_each_component_of_an_encoder_decoder_is_counted_where_it_belongs() -> None:
    config = EncoderDecoderConfig(
        vocab_size=50, d_model=8, d_ff=20, d_kv=3, n_heads=2, encoder_layers=2, decoder_layers=1, tied_lm_head=False
    )
    assert parameter_table(config).counts == {
        "embedding": 50 * 8,
        "positions": 2 * 32 * 2,  # one table of buckets and heads per stack
        "attention": 4 * (4 * 8 * 6),  # two in the encoder, self and cross in the decoder
        "feed-forward": 3 * (2 * 8 * 20),
        "norms": (2 * 2 + 3 + 2) * 8,
        "head": 50 * 8,
    }


def test_each_component_of_a_decoder_is_counted_where_it_belongs() -> None:
    config = DecoderConfig(vocab_size=50, d_model=8, d_ff=20, d_head=6, n_heads=4, n_kv_heads=2, n_layers=3)
    assert parameter_table(config).counts == {
        "embedding": 50 * 8,
        "positions": 0,  # rotary
        "attention": 3 * (2 * 8 * 24 + 2 * 8 * 12),
        "feed-forward": 3 * (3 * 8 * 20),
        "norms": (3 * 2 + 1) * 8,
        "head": 0,  # tied
    }
    learned = config.model_copy(update={"positions": "learned", "max_positions": 30})
    assert parameter_table(learned).counts == parameter_table(config).counts | {"positions": 30 * 8}


def test_nothing_is_allocated() -> None:
    huge = DecoderConfig(vocab_size=10**6, d_model=10**6, d_ff=10**6, d_head=1000, n_heads=1000, n_kv_heads=1000)
    assert {parameter.device for parameter in on_meta(huge).parameters()} == {torch.device("meta")}


def test_a_name_of_neither_family_is_refused() -> None:
    with pytest.raises(ValueError, match=r"parameter router\.weight belongs to no component"):
        component_of("router.weight")
