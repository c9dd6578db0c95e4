"""A grown model computes what it computed before, and learns with everything that is new."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.growth import grow, largest_deviation, placement

TOLERANCE = 1e-4

CETD = EncoderDecoderConfig(
    vocab_size=40, d_model=24, d_ff=40, d_kv=6, n_heads=2, encoder_layers=2, decoder_layers=2, relative_buckets=8
)
CETD_GROWTHS: list[dict[str, Any]] = [
    {"d_model": 40},
    {"d_ff": 64},
    {"n_heads": 5},
    {"d_kv": 9},
    {"encoder_layers": 3, "decoder_layers": 5},
]
LM = DecoderConfig(vocab_size=40, d_model=24, d_ff=40, d_head=6, n_heads=4, n_kv_heads=2, n_layers=2, max_positions=64)
LM_GROWTHS: list[dict[str, Any]] = [
    {"d_model": 40},
    {"d_ff": 64},
    {"n_heads": 6, "n_kv_heads": 3},
    {"n_layers": 5},
    {"max_positions": 100},
]
KINDS = [{"feed_forward": kind, "tied_lm_head": tied} for kind in ("relu", "gated-gelu") for tied in (True, False)]


def together(growths: list[dict[str, Any]]) -> dict[str, Any]:
    return {field: size for growth in growths for field, size in growth.items()}


def built(config: EncoderDecoderConfig | DecoderConfig, seed: int = 0) -> EncoderDecoder | Decoder:
    """As if trained: norms away from 1, and outputs away from uniform."""
    torch.manual_seed(seed)
    model = EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
            elif isinstance(model, Decoder):
                parameter.mul_(5)
    return model


def logits(model: EncoderDecoder | Decoder, seed: int = 1) -> Tensor:
    """Of two rows, the second padded."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(40, (2, 20), generator=generator)
    mask = torch.arange(20) < torch.tensor([[20], [7]])
    return model(tokens, mask, tokens[:, :11]) if isinstance(model, EncoderDecoder) else model(tokens)


def assert_grows(
    source: EncoderDecoderConfig | DecoderConfig,
    target: EncoderDecoderConfig | DecoderConfig,
    dtype: torch.dtype = torch.float32,
    tolerance: float = TOLERANCE,
) -> None:
    model = built(source).to(dtype)
    grown = grow(model, target)
    assert grown.config == target
    with torch.no_grad():
        expected = logits(model)
        torch.testing.assert_close(logits(grown), expected, rtol=0, atol=tolerance)
    assert expected.std() > 0.02
    assert largest_deviation(model, grown) < tolerance


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("growth", [*CETD_GROWTHS, together(CETD_GROWTHS)], ids=str)
def test_a_grown_encoder_decoder_computes_the_same(growth: dict[str, Any], kind: dict[str, Any]) -> None:
    source = CETD.model_copy(update=kind)
    assert_grows(source, source.model_copy(update=growth))


@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("growth", [*LM_GROWTHS, together(LM_GROWTHS)], ids=str)
def test_a_grown_language_model_computes_the_same(growth: dict[str, Any], tied: bool, positions: str) -> None:
    source = LM.model_copy(update={"tied_lm_head": tied, "positions": positions})
    assert_grows(source, source.model_copy(update=growth))


@settings(deadline=None, max_examples=40)
@given(
    source=st.fixed_dictionaries({field: st.integers(1, 9) for field in together(CETD_GROWTHS)}),
    more=st.fixed_dictionaries({field: st.integers(0, 7) for field in together(CETD_GROWTHS)}),
    kind=st.sampled_from(KINDS),
)
def test_any_shape_grows_to_any_larger_one(source: dict[str, int], more: dict[str, int], kind: dict[str, Any]) -> None:
    small = CETD.model_copy(update=source | kind)
    large = small.model_copy(update={field: source[field] + size for field, size in more.items()})
    assert_grows(small, large, torch.float64, 1e-8)  # a stream of one or two numbers magnifies rounding in fp32


@settings(deadline=None, max_examples=20)
@given(share=st.integers(1, 3), sizes=st.lists(st.integers(1, 9), min_size=8, max_size=8), tied=st.booleans())
def test_any_language_model_grows_to_any_larger_one(share: int, sizes: list[int], tied: bool) -> None:
    d_model, more_d_model, d_ff, more_d_ff, heads, more_heads, layers, more_layers = sizes
    small = LM.model_copy(
        update={"d_model": d_model, "d_ff": d_ff, "n_kv_heads": heads, "n_heads": share * heads, "n_layers": layers}
        | {"tied_lm_head": tied}
    )
    heads += more_heads
    large = {"d_model": d_model + more_d_model, "d_ff": d_ff + more_d_ff, "n_layers": layers + more_layers}
    target = small.model_copy(update=large | {"n_kv_heads": heads, "n_heads": share * heads})
    assert_grows(small, target, torch.float64, 1e-8)


@pytest.mark.parametrize("source", [CETD, LM], ids=["cetd", "lm"])
def test_epsilon_keeps_its_weight(source: EncoderDecoderConfig | DecoderConfig) -> None:
    source = source.model_copy(update={"norm_eps": 0.5})
    assert_grows(source, source.model_copy(update={"d_model": 100}))


@pytest.mark.parametrize("tied", [True, False])
def test_growing_twice_still_computes_the_same(tied: bool) -> None:
    small = CETD.model_copy(update={"tied_lm_head": tied})
    middle = small.model_copy(update=together(CETD_GROWTHS))
    large = middle.model_copy(update={"d_model": 64, "d_ff": 90, "d_kv": 12, "n_heads": 6, "decoder_layers": 7})
    model = built(small)
    grown = grow(grow(model, middle, seed=1), large, seed=2)
    assert largest_deviation(model, grown) < TOLERANCE


@pytest.mark.parametrize("source", [CETD, LM], ids=["cetd", "lm"])
def test_a_larger_vocabulary_leaves_the_old_tokens_their_logits(source: EncoderDecoderConfig | DecoderConfig) -> None:
    model = built(source)
    grown = grow(model, source.model_copy(update={"vocab_size": 50, "d_model": 30}))
    with torch.no_grad():
        found = logits(grown)
        assert found.shape[-1] == 50
        torch.testing.assert_close(found[..., :40], logits(model), rtol=0, atol=TOLERANCE)


def test_growing_to_the_same_size_changes_no_bit() -> None:
    model = built(CETD)
    again = grow(model, CETD).state_dict()
    assert all(tensor.equal(again[name]) for name, tensor in model.state_dict().items())


def test_new_weights_follow_from_the_seed_alone_and_the_model_stays_as_it_is() -> None:
    model, target = built(CETD), CETD.model_copy(update=together(CETD_GROWTHS))
    before, generator = {name: tensor.clone() for name, tensor in model.state_dict().items()}, torch.get_rng_state()
    first, second, other = (grow(model, target, seed).state_dict() for seed in (3, 3, 4))
    assert torch.get_rng_state().equal(generator)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert all(tensor.equal(second[name]) for name, tensor in first.items())
    assert not first["encoder.layers.0.self_attention.q.weight"].equal(
        other["encoder.layers.0.self_attention.q.weight"]
    )


def test_mode_and_dtype_are_the_models() -> None:
    target = CETD.model_copy(update={"d_model": 30, "dropout": 0.1})
    grown = grow(built(CETD).eval().double(), target)
    assert not grown.training
    assert {parameter.dtype for parameter in grown.parameters()} == {torch.float64}
    assert grow(built(CETD).train(), target).training


@pytest.mark.parametrize(("source", "target"), [(12, 18), (17, 33), (2, 5), (3, 3), (1, 4), (24, 36)])
def test_new_layers_are_spread_evenly(source: int, target: int) -> None:
    places = placement(source, target)
    runs = {after - before for before, after in zip(places, [*places[1:], target], strict=True)}
    assert places[0] == 0
    assert min(runs) >= 1
    assert max(runs) - min(runs) <= 1


WIDTH_READERS = r"norm\.weight$|\.(q|k|v|wi|gate)\.weight$|^lm_head"
LAST_WRITER = r"^decoder\.layers\.1\.feed_forward\.wo"
# What each growth leaves without a gradient at the first step; everything else that is new has one.
SILENT = [
    ({"d_model": 40}, {"tied_lm_head": True}, f"{WIDTH_READERS}|{LAST_WRITER}"),
    ({"d_model": 40}, {"tied_lm_head": False, "feed_forward": "gated-gelu"}, WIDTH_READERS),
    ({"d_ff": 64}, {"feed_forward": "relu"}, r"\.wi\.weight$"),
    ({"d_ff": 64}, {"feed_forward": "gated-gelu"}, r"\.(wi|gate)\.weight$"),
    ({"n_heads": 5}, {}, r"\.(q|k|v)\.weight$|positions"),
    ({"d_kv": 9}, {}, r"\.(q|v)\.weight$"),
    ({"encoder_layers": 4, "decoder_layers": 4}, {}, r"norm\.weight$|\.(q|k|v|wi)\.weight$"),
    (
        together(CETD_GROWTHS),
        {},
        r"norm\.weight$|\.(q|v|wi)\.weight$|positions|(encoder\.layers\.2|decoder\.layers\.[134])\..*\.k\.weight$",
    ),
]


@pytest.mark.parametrize(("growth", "kind", "silent"), SILENT, ids=str)
def test_everything_new_learns_from_the_second_step_on(
    growth: dict[str, Any], kind: dict[str, Any], silent: str
) -> None:
    source = CETD.model_copy(update=kind)
    target = source.model_copy(update=growth)
    grown = grow(built(source), target)
    # New is what does not depend on the old weights.
    other = grow(built(source, seed=5), target).state_dict()
    new = {name: mask for name, tensor in grown.state_dict().items() if (mask := tensor == other[name]).any()}
    optimizer = torch.optim.AdamW(grown.parameters(), lr=1e-2)
    moving: list[set[str]] = []
    for _ in range(2):
        optimizer.zero_grad()
        functional.cross_entropy(logits(grown).flatten(0, 1), torch.arange(22) % 40).backward()
        gradients = {name: parameter.grad for name, parameter in grown.named_parameters()}
        moving.append({name for name, mask in new.items() if (g := gradients[name]) is not None and g[mask].any()})
        optimizer.step()
    assert moving[0] == {name for name in new if not re.search(silent, name)}
    assert moving[1] == set(new)


def trained(model: EncoderDecoder, steps: int) -> list[float]:
    """Losses of learning to write rows backwards, after a warm-up."""
    tokens = torch.randint(3, 40, (64, 6), generator=torch.Generator().manual_seed(2))
    written = torch.cat([torch.zeros(64, 1, dtype=torch.long), tokens.flip(1)[:, :-1]], dim=1)
    optimizer, losses = torch.optim.AdamW(model.parameters()), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 10)
        optimizer.zero_grad()
        predicted = model(tokens, torch.ones_like(tokens), written)
        loss = functional.cross_entropy(predicted.flatten(0, 1), tokens.flip(1).flatten())
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_a_grown_model_begins_at_the_small_ones_loss_and_falls_faster() -> None:
    torch.manual_seed(2)
    model = EncoderDecoder(CETD)
    begun = trained(model, 80)
    grown = grow(model, CETD.model_copy(update=together(CETD_GROWTHS)))
    small, large = trained(model, 50), trained(grown, 50)
    assert large[0] == pytest.approx(small[0], abs=TOLERANCE)
    assert max(large) < 1.1 * large[0]
    assert large[-1] < 0.8 * small[-1]
    assert small[0] < 0.5 * begun[0]


@pytest.mark.parametrize(
    ("source", "change", "message"),
    [
        (CETD, {"d_model": 20}, "d_model=20: growth does not shrink, and the model has 24"),
        (CETD, {"vocab_size": 39}, "vocab_size=39: growth does not shrink, and the model has 40"),
        (CETD, {"decoder_layers": 1}, "decoder_layers=1: growth does not shrink, and the model has 2"),
        (CETD, {"feed_forward": "gated-gelu"}, "feed_forward='gated-gelu': growth cannot change it, .* has 'relu'"),
        (CETD, {"tied_lm_head": False}, "tied_lm_head=False: growth cannot change it, and the model has True"),
        (CETD, {"relative_buckets": 16}, "relative_buckets=16: growth cannot change it, and the model has 8"),
        (CETD, {"relative_max_distance": 99}, "relative_max_distance=99: growth cannot change it"),
        (CETD, {"norm_eps": 1e-5}, "norm_eps=1e-05: growth cannot change it, and the model has 1e-06"),
        (LM, {"d_head": 8}, "d_head=8: growth cannot change it, and the model has 6"),
        (LM, {"rope_theta": 5e5}, "rope_theta=500000.0: growth cannot change it"),
        (LM, {"max_positions": 32}, "max_positions=32: growth does not shrink, and the model has 64"),
        (LM, {"n_heads": 6}, "n_kv_heads=2: 3 query heads would share each, and in the model 2 do"),
    ],
)
def test_what_growth_cannot_do_is_refused_by_name(
    source: EncoderDecoderConfig | DecoderConfig, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        grow(built(source), source.model_copy(update=change))
    assert "\n" not in str(refusal.value)


def test_another_family_is_refused() -> None:
    with pytest.raises(ValueError, match=r"family='decoder': growth cannot change it, .* has 'encoder-decoder'"):
        grow(built(CETD), LM)
