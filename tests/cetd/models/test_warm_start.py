"""More tokens for a pretrained model: the old ones keep their rows, and the ids with a role keep theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.huggingface import CheckpointError, TokenIds
from cetd.models.warm_start import TABLES, resize_vocabulary

CODET5_IDS = TokenIds(pad=0, eos=2, bos=1, decoder_start=0)
TOKENS = torch.arange(24).view(2, 12)


def models() -> list[EncoderDecoder | Decoder]:
    torch.manual_seed(0)
    encoder_decoder = EncoderDecoderConfig(vocab_size=40, d_model=16, d_ff=24, d_kv=4)
    decoder = DecoderConfig(vocab_size=40, d_model=16, d_ff=24, d_head=4)
    heads = ({"tied_lm_head": True}, {"tied_lm_head": False})
    return [
        *(EncoderDecoder(encoder_decoder.model_copy(update=head)) for head in heads),
        *(Decoder(decoder.model_copy(update=head)) for head in heads),
    ]


@torch.no_grad()
def logits(model: EncoderDecoder | Decoder) -> Tensor:
    if isinstance(model, Decoder):
        return model(TOKENS)
    return model(TOKENS, torch.ones_like(TOKENS), TOKENS)


@pytest.mark.parametrize("model", models())
def test_the_old_tokens_keep_rows_and_logits(model: EncoderDecoder | Decoder) -> None:
    resized = resize_vocabulary(model, 47)
    assert resized.config == model.config.model_copy(update={"vocab_size": 47})
    for name, tensor in model.state_dict().items():
        found = resized.state_dict()[name]
        assert found.shape[0] == (47 if name in TABLES else tensor.shape[0])
        assert found[: len(tensor)].equal(tensor)
    torch.testing.assert_close(logits(resized)[..., :40], logits(model))
    assert all(parameter.requires_grad for parameter in resized.parameters())


@pytest.mark.parametrize("model", models())
def test_new_tokens_begin_near_the_mean_and_differ(model: EncoderDecoder | Decoder) -> None:
    resized = resize_vocabulary(model, 60)
    for name in TABLES:
        if name in resized.state_dict():
            table = resized.state_dict()[name]
            old, new = table[:40], table[40:]
            assert ((new - old.mean(0)).abs() < 0.05 * old.std(0)).all()
            assert len(new.unique(dim=0)) == 20
    # The logit of a mean row is the mean logit, so a new token gets no more than the old ones' average.
    probability = logits(resized).softmax(-1)
    assert (probability[..., 40:].mean(-1) < 1.02 * probability[..., :40].mean(-1)).all()


def test_new_rows_follow_from_the_seed_and_the_model_stays_as_it_is() -> None:
    model = models()[0]
    before, state = model.state_dict()["embedding.weight"].clone(), torch.get_rng_state()
    first, second, other = (resize_vocabulary(model, 44, seed).state_dict()["embedding.weight"] for seed in (1, 1, 2))
    assert first.equal(second)
    assert not first.equal(other)
    assert torch.get_rng_state().equal(state)
    first.zero_()
    assert model.state_dict()["embedding.weight"].equal(before)


def test_the_same_size_is_a_copy() -> None:
    model = models()[0].eval()
    same = resize_vocabulary(model, 40)
    assert logits(same).equal(logits(model))
    assert same is not model
    assert not same.training


def test_shrinking_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vocab_size=30: the model has 40 tokens and would lose 10 of them; use the"):
        resize_vocabulary(models()[0], 30)


def test_a_codet5_folder_keeps_its_ids_through_a_resize(tmp_path: Path) -> None:
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0}
    sizes = {"vocab_size": 40, "d_model": 16, "d_ff": 24, "d_kv": 4, "num_layers": 1, "num_heads": 4}
    config = T5Config.from_dict(sizes | ids)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "from")
    found = huggingface.read_token_ids(tmp_path / "from")
    assert found == CODET5_IDS
    resized = resize_vocabulary(huggingface.load(tmp_path / "from"), 46)
    huggingface.save(resized, tmp_path / "to", found)
    assert huggingface.read_token_ids(tmp_path / "to") == CODET5_IDS
    theirs = T5ForConditionalGeneration.from_pretrained(tmp_path / "to").eval()
    assert {name: getattr(theirs.generation_config, name) for name in ids} == ids
    with torch.no_grad():
        expected = theirs(input_ids=TOKENS, decoder_input_ids=TOKENS).logits
    torch.testing.assert_close(logits(resized.eval()), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "ids"), [(models()[0], TokenIds(0, 1, None, 0)), (models()[2], TokenIds(0, 1, 2, None))]
)
def test_without_ids_they_are_those_of_the_tokenizer_made_here(
    model: EncoderDecoder | Decoder, ids: TokenIds, tmp_path: Path
) -> None:
    huggingface.save(model, tmp_path)
    assert huggingface.read_token_ids(tmp_path) == ids


@pytest.mark.parametrize("value", [[1, 2], "2", True, 1.5])
def test_an_id_that_is_not_one_number_is_refused(value: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5", "eos_token_id": value}))
    with pytest.raises(CheckpointError, match=r"config\.json: eos_token_id=.*: one number is expected"):
        huggingface.read_token_ids(tmp_path)


def test_ids_of_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: no config\.json there"):
        huggingface.read_token_ids(tmp_path / "nowhere")
