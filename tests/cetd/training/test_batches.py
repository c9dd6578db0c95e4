"""Padded batches, and the loss of the tokens that are to be learned."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.data.example import Example
from cetd.data.tokenizer import EOS_ID, PAD_ID
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.batches import make_batch, summed_loss


def small(kind: str) -> EncoderDecoder | Decoder:
    torch.manual_seed(1)
    if kind == "encoder-decoder":
        return EncoderDecoder(
            EncoderDecoderConfig(vocab_size=32, d_model=32, d_ff=64, d_kv=8, encoder_layers=1, decoder_layers=1)
        )
    return Decoder(DecoderConfig(vocab_size=32, d_model=32, d_ff=64, d_head=8, n_layers=1))


def mean_loss(model: EncoderDecoder | Decoder, examples: Sequence[Example]) -> Tensor:
    batch = make_batch(model.config, examples)
    return summed_loss(model, batch) / batch.tokens


@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder"])
def test_padding_does_not_change_the_loss(kind):
    model = small(kind).eval()
    short, long = Example((3, 4), (20, EOS_ID)), Example((5, 6, 7, 8, 9), (21, 22, 23, 24, EOS_ID))
    together = mean_loss(model, [short, long])
    apart = (2 * mean_loss(model, [short]) + 5 * mean_loss(model, [long])) / 7
    assert together.item() == pytest.approx(apart.item(), rel=1e-5)


def test_a_decoder_is_judged_on_the_completion_only():
    model = small("decoder").eval()
    logits = model(torch.tensor([[3, 4, 20]]))
    expected = functional.cross_entropy(logits[0, 1:], torch.tensor([20, EOS_ID]))
    assert mean_loss(model, [Example((3, 4), (20, EOS_ID))]).item() == pytest.approx(expected.item(), rel=1e-5)


def test_an_encoder_decoder_starts_from_padding():
    model = small("encoder-decoder").eval()
    logits = model(torch.tensor([[3, 4]]), torch.ones(1, 2, dtype=torch.bool), torch.tensor([[PAD_ID, 20]]))
    expected = functional.cross_entropy(logits[0], torch.tensor([20, EOS_ID]))
    assert mean_loss(model, [Example((3, 4), (20, EOS_ID))]).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder"])
def test_an_example_counts_by_its_weight(kind):
    model = small(kind).eval()
    light, heavy = Example((3, 4), (20, EOS_ID), 0.5), Example((5,), (21, 22, EOS_ID), 2.0)
    alone = [summed_loss(model, make_batch(model.config, [Example(e.prompt, e.completion)])) for e in (light, heavy)]
    together = summed_loss(model, make_batch(model.config, [light, heavy]))
    assert together.item() == pytest.approx(0.5 * alone[0].item() + 2.0 * alone[1].item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder"])
def test_logits_are_computed_of_the_learned_positions_alone(kind):
    model = small(kind).eval()
    batch = make_batch(model.config, [Example((3, 4, 5), (20, EOS_ID)), Example((6,), (21, 22, EOS_ID))])
    shapes = []

    def forward(*inputs: Tensor, of: Tensor) -> Tensor:
        logits = model(*inputs, of=of)
        shapes.append(logits.shape)
        assert torch.allclose(logits, model(*inputs).flatten(0, 1)[of], atol=1e-6)
        return logits

    loss = summed_loss(forward, batch)
    assert shapes == [(5, 32)]
    everywhere = functional.cross_entropy(model(*batch.inputs).flatten(0, 1), batch.targets.flatten(), reduction="sum")
    assert loss.item() == pytest.approx(everywhere.item(), rel=1e-5)
