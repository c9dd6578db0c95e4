"""Parity with transformers on the same weights, in both directions, and what is refused."""

import json
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.huggingface import CheckpointError

TOLERANCE = 1e-4
Model = TypeVar("Model", EncoderDecoder, Decoder)

ENCODER_DECODERS = [
    EncoderDecoderConfig(vocab_size=90),
    EncoderDecoderConfig(vocab_size=90, feed_forward="gated-gelu", tied_lm_head=False),
    EncoderDecoderConfig(vocab_size=90, d_model=48, d_kv=20, n_heads=3, d_ff=70, encoder_layers=1, decoder_layers=4),
    EncoderDecoderConfig(vocab_size=90, tied_lm_head=False, relative_buckets=8, relative_max_distance=20),
    EncoderDecoderConfig(vocab_size=90, feed_forward="gated-gelu", encoder_layers=4, decoder_layers=1),
]
DECODERS = [
    DecoderConfig(vocab_size=90),
    DecoderConfig(vocab_size=90, n_kv_heads=2, tied_lm_head=False),
    DecoderConfig(vocab_size=90, n_kv_heads=1, d_head=16, d_ff=100, n_layers=2, rope_theta=500.0),
]


def padded_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """(3, 70) tokens, long enough for far buckets, two rows padded."""
    torch.manual_seed(1)
    tokens = torch.randint(3, 90, (3, 70))
    mask = torch.ones(3, 70, dtype=torch.bool)
    mask[1, 40:] = False
    mask[2, 5:] = False
    return tokens, mask


@torch.no_grad()
def scaled_up(model: Model) -> Model:
    """Fresh weights make near-uniform outputs; larger ones make a sharper comparison."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.add_(torch.randn_like(parameter) * 0.1)
        elif isinstance(model, Decoder) and "embed" not in name:
            parameter.mul_(4)
    return model.eval()


@pytest.mark.parametrize("config", ENCODER_DECODERS)
@torch.no_grad()
def test_encoder_decoder_gives_the_logits_of_transformers(config: EncoderDecoderConfig, tmp_path: Path) -> None:
    model = scaled_up(EncoderDecoder(config))
    huggingface.save(model, tmp_path)
    theirs = T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    tokens, mask = padded_batch()
    targets = tokens.flip(1)[:, :50]
    ours = model(tokens, mask, targets)
    reference = theirs(input_ids=tokens, attention_mask=mask.long(), decoder_input_ids=targets).logits
    torch.testing.assert_close(ours, reference, rtol=0, atol=TOLERANCE)
    assert ours.std() > 0.1


@pytest.mark.parametrize("config", DECODERS)
@torch.no_grad()
def test_decoder_gives_the_logits_of_transformers(config: DecoderConfig, tmp_path: Path) -> None:
    model = scaled_up(Decoder(config))
    huggingface.save(model, tmp_path)
    theirs = LlamaForCausalLM.from_pretrained(tmp_path).eval()
    tokens, mask = padded_batch()
    reference = theirs(input_ids=tokens, attention_mask=mask.long()).logits
    torch.testing.assert_close(model(tokens, mask)[mask], reference[mask], rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(model(tokens)[0], reference[0], rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_a_decoder_with_learned_positions_comes_back_and_nobody_takes_it_for_a_llama(tmp_path: Path) -> None:
    model = scaled_up(Decoder(DecoderConfig(vocab_size=90, positions="learned", max_positions=80)))
    huggingface.save(model, tmp_path)
    again = huggingface.load(tmp_path).eval()
    tokens, mask = padded_batch()
    assert again.config == model.config
    assert torch.equal(again(tokens, mask), model(tokens, mask))
    moved = tokens.roll(1, dims=1)  # the same tokens elsewhere are read otherwise
    assert not torch.allclose(model(moved)[:, 1:2], model(tokens)[:, :1])
    with pytest.raises(ValueError, match="cetd-learned-positions"):
        AutoConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
@torch.no_grad()
def test_a_t5_folder_written_by_transformers_loads(feed_forward: str, tied: bool, tmp_path: Path) -> None:
    sizes = {"vocab_size": 90, "d_model": 32, "d_ff": 64, "d_kv": 8, "num_layers": 2, "num_heads": 4}
    # transformers takes tie_word_embeddings for "the output is scaled".
    config = T5Config.from_dict({**sizes, "feed_forward_proj": feed_forward, "tie_word_embeddings": tied})
    theirs = T5ForConditionalGeneration(config).eval()
    theirs.save_pretrained(tmp_path)
    tokens, mask = padded_batch()
    reference = theirs(input_ids=tokens, attention_mask=mask.long(), decoder_input_ids=tokens[:, :9]).logits
    ours = huggingface.load(tmp_path).eval()(tokens, mask, tokens[:, :9])
    torch.testing.assert_close(ours, reference, rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_a_sharded_llama_folder_written_by_transformers_loads(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=90,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    theirs = LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="50KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    tokens, _ = padded_batch()
    torch.testing.assert_close(
        huggingface.load(tmp_path).eval()(tokens), theirs(input_ids=tokens).logits, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("model", [EncoderDecoder(ENCODER_DECODERS[1]), Decoder(DECODERS[1])])
def test_saving_and_loading_is_exact(model: EncoderDecoder | Decoder, tmp_path: Path) -> None:
    huggingface.save(model, tmp_path)
    loaded = huggingface.load(tmp_path).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())


def saved(folder: Path) -> Path:
    huggingface.save(Decoder(DecoderConfig(vocab_size=40, d_model=32, n_layers=1)), folder)
    return folder


def edit(path: Path, **change: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_an_unknown_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: no config\.json there; give a Hugging Face folder"):
        huggingface.load(tmp_path / "nowhere")


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="model_type='bert' is not known here"):
        huggingface.load(tmp_path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    weights = saved(tmp_path) / huggingface.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        huggingface.load(tmp_path)


def test_another_shape_is_refused_with_both_shapes(tmp_path: Path) -> None:
    edit(saved(tmp_path) / "config.json", vocab_size=41)
    with pytest.raises(
        CheckpointError, match=r"embed_tokens\.weight is \[40, 32\] but config\.json asks for \[41, 32\]"
    ):
        huggingface.load(tmp_path)


def test_a_head_that_differs_from_the_embedding_it_is_tied_to_is_refused(tmp_path: Path) -> None:
    huggingface.save(Decoder(DECODERS[1]), tmp_path)
    edit(tmp_path / "config.json", tie_word_embeddings=True)
    with pytest.raises(CheckpointError, match=r"lm_head\.weight differs from the embedding"):
        huggingface.load(tmp_path)


@pytest.mark.parametrize(
    ("layers", "message"),
    [(2, r"tensor model\.layers\.1\.\S+ is missing"), (1, r"unexpected tensor model\.layers\.1\.")],
)
def test_missing_and_unexpected_tensors_are_named(layers: int, message: str, tmp_path: Path) -> None:
    huggingface.save(Decoder(DecoderConfig(vocab_size=40, d_model=32, n_layers=3 - layers)), tmp_path)
    edit(tmp_path / "config.json", num_hidden_layers=layers)
    with pytest.raises(CheckpointError, match=message):
        huggingface.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act='gelu' is not known here; 'silu' is"),
        ({"attention_bias": True}, "attention_bias=True is not known here"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rope_scaling: only plain rotary positions"),
        ({"hidden_size": "wide"}, "d_model='wide': input should be a valid integer"),
        ({"num_attention_heads": 3}, "n_kv_heads=4 must divide n_heads=3"),
    ],
)
def test_a_configuration_that_would_compute_something_else_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path) / "config.json"
    edit(path, **change)
    with pytest.raises(CheckpointError, match=message) as refusal:
        huggingface.load(tmp_path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["[]", "{", '{"hidden_size": 8}', ""])
def test_a_configuration_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (saved(tmp_path) / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json: "):
        huggingface.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"lm_head.weight": 1}}'])
def test_a_damaged_index_is_refused(text: str, tmp_path: Path) -> None:
    (saved(tmp_path) / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"index\.json: expected a weight_map of tensor to file"):
        huggingface.load(tmp_path)


@pytest.mark.parametrize("shard", ["model-2.safetensors", "../model.safetensors"])
def test_a_shard_that_is_not_in_the_folder_is_refused(shard: str, tmp_path: Path) -> None:
    saved(tmp_path)
    folder = tmp_path / "inner"
    saved(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": shard}}))
    with pytest.raises(CheckpointError, match="no such file"):
        huggingface.load(folder)


@pytest.mark.parametrize("model", [EncoderDecoder(ENCODER_DECODERS[0]), Decoder(DECODERS[0])])
def test_loading_draws_no_random_numbers_and_leaves_the_file_alone(
    model: EncoderDecoder | Decoder, tmp_path: Path
) -> None:
    huggingface.save(model, tmp_path)
    written = (tmp_path / huggingface.WEIGHTS).read_bytes()
    state = torch.get_rng_state()
    loaded = huggingface.load(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        for parameter in loaded.parameters():
            assert parameter.requires_grad
            parameter.zero_()
    assert (tmp_path / huggingface.WEIGHTS).read_bytes() == written


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    (saved(tmp_path) / huggingface.WEIGHTS).rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="weights are read from safetensors only"):
        huggingface.load(tmp_path)
