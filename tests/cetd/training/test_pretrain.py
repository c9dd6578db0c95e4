from random import Random

import pytest
import torch

from cetd.config import DecoderConfig, EncoderDecoderConfig, OptimizerConfig, PretrainConfig
from cetd.data.example import Example
from cetd.data.tokenizer import EOS_ID
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.pretrain import pretrain

CONFIG = PretrainConfig(
    steps=60, batch_size=16, optimizer=OptimizerConfig(learning_rate=3e-3, schedule="cosine", warmup_steps=5)
)


def small(kind: str) -> EncoderDecoder | Decoder:
    torch.manual_seed(1)
    if kind == "encoder-decoder":
        return EncoderDecoder(
            EncoderDecoderConfig(
                vocab_size=32, d_model=32, d_ff=64, d_kv=8, encoder_layers=1, decoder_layers=1, dropout=0.1
            )
        )
    return Decoder(DecoderConfig(vocab_size=32, d_model=32, d_ff=64, d_head=8, n_layers=1))


def mapped() -> list[Example]:
    """Each token of a prompt has a counterpart in the completion."""
    rng = Random(0)
    prompts = [tuple(rng.randrange(3, 16) for _ in range(rng.randint(1, 5))) for _ in range(200)]
    return [Example(prompt, (*(token + 16 for token in prompt), EOS_ID)) for prompt in prompts]


@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder"])
def test_the_loss_falls(kind):
    losses = pretrain(small(kind), mapped(), CONFIG, seed=0)
    assert len(losses) == CONFIG.steps
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder"])
def test_the_same_seed_gives_the_same_weights_to_the_bit(kind):
    config = CONFIG.model_copy(update={"steps": 8})
    first, second, other = small(kind), small(kind), small(kind)
    for model, seed in ((first, 5), (second, 5), (other, 6)):
        pretrain(model, mapped(), config, seed)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_progress_is_told_after_every_step():
    told: list[tuple[int, int]] = []
    config = CONFIG.model_copy(update={"steps": 3})
    pretrain(small("decoder"), mapped(), config, 0, lambda done, total, loss: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_fewer_examples_than_a_batch_suffice():
    assert len(pretrain(small("decoder"), mapped()[:3], CONFIG.model_copy(update={"steps": 4}), 0)) == 4


def test_no_steps_leave_the_model_as_it_is():
    assert pretrain(small("decoder"), mapped(), CONFIG.model_copy(update={"steps": 0}), 0) == []


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="examples: none"):
        pretrain(small("decoder"), [], CONFIG, 0)
