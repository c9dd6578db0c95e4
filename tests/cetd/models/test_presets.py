"""Every model preset loads, and has the shape and the count that its name and its first line promise."""

from itertools import pairwise

import pytest

from cetd.config import DecoderConfig, EncoderDecoderConfig, ModelConfig, Section, presets, validate
from cetd.config.models import PRESETS
from cetd.models.parameters import parameter_table

TOTALS = {
    "codet5-base": 222_882_048,
    "cetd-3b-dims": 561_447_936,
    "cetd-5b-dims": 1_142_250_240,
    "cetd-1b": 903_076_608,
    "cetd-3b": 2_612_153_856,
    "cetd-5b": 4_293_974_016,
    "lm-350m": 350_536_704,
    "lm-1b": 990_455_808,
    "lm-7b": 6_738_415_616,
    "lm-13b": 13_015_864_320,
    "lm-70b": 68_976_648_192,
    "tiny-cetd": 263_168,
    "tiny-lm": 125_248,
}
# From the smallest, where training begins, to the largest, that it is grown to.
GROWTH = ["codet5-base", "cetd-1b", "cetd-3b", "cetd-5b"]


class Holder(Section):
    model: ModelConfig


def preset(name: str, **changes: int) -> EncoderDecoderConfig | DecoderConfig:
    return validate(Holder, {"model": {"preset": name, **changes}}).model


def encoder_decoder(name: str) -> EncoderDecoderConfig:
    model = preset(name)
    assert isinstance(model, EncoderDecoderConfig)
    return model


def test_every_preset_that_is_promised_is_there() -> None:
    assert set(TOTALS) <= set(presets())


@pytest.mark.parametrize("name", presets())
def test_a_preset_has_the_count_that_its_first_line_says(name: str) -> None:
    total = parameter_table(preset(name)).total
    first = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(f": {total:,} parameters.")
    assert total == TOTALS.get(name, total)


@pytest.mark.parametrize(
    ("name", "total"), [("codet5-base", 222_903_552), ("cetd-3b-dims", 561_476_608), ("cetd-5b-dims", 1_142_286_080)]
)
def test_the_counts_at_the_vocabulary_of_t5(name: str, total: int) -> None:
    assert parameter_table(preset(name, vocab_size=32128)).total == total


@pytest.mark.parametrize(("name", "billions"), [("cetd-1b", 0.9), ("cetd-3b", 2.6), ("cetd-5b", 4.3)])
def test_totals_of_the_specification_are_met_in_its_proportions(name: str, billions: float) -> None:
    model = encoder_decoder(name)
    assert parameter_table(model).total == pytest.approx(billions * 1e9, rel=0.005)
    assert model.d_kv == 64
    assert model.n_heads * model.d_kv == model.d_model
    assert model.d_ff == 4 * model.d_model
    assert model.encoder_layers == model.decoder_layers
    assert model.tied_lm_head


def test_each_size_can_be_grown_to_the_next() -> None:
    for small, large in pairwise(encoder_decoder(name) for name in GROWTH):
        assert small.vocab_size == large.vocab_size
        assert small.d_kv == large.d_kv
        for field in ("d_model", "d_ff", "n_heads", "encoder_layers", "decoder_layers"):
            assert getattr(small, field) < getattr(large, field)


@pytest.mark.parametrize("name", [name for name in TOTALS if name.startswith("lm-")])
def test_language_models_have_a_context_of_4k_or_8k(name: str) -> None:
    model = preset(name)
    assert isinstance(model, DecoderConfig)
    assert model.max_positions in (4096, 8192)
    assert model.n_heads * model.d_head == model.d_model
    assert model.n_kv_heads == (8 if name == "lm-70b" else model.n_heads)
