"""Log-probabilities against the definition, and what the mask leaves out."""

import pytest
import torch

from cetd.config import EncoderDecoderConfig
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs, token_log_probs


@pytest.fixture(scope="module")
def model() -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(EncoderDecoderConfig(vocab_size=30, d_model=32, d_ff=48, d_kv=8)).eval()


def test_token_log_probs_are_the_log_softmax_of_the_targets_in_fp32() -> None:
    logits = torch.randn(2, 3, 7).bfloat16()
    targets = torch.randint(7, (2, 3))
    found = token_log_probs(logits, targets)
    expected = torch.distributions.Categorical(logits=logits.float()).log_prob(targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_probabilities_of_all_first_tokens_add_up_to_one(model: EncoderDecoder) -> None:
    source, mask = torch.randint(3, 30, (1, 6)), torch.ones(1, 6, dtype=torch.bool)
    every = torch.arange(30).unsqueeze(1)
    rows = torch.zeros(30, dtype=torch.long)
    with torch.no_grad():
        found = sequence_log_probs(model, source, mask, every, torch.ones_like(every), rows=rows)
    assert found.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_padding_counts_for_nothing_in_values_and_gradients(model: EncoderDecoder) -> None:
    source, shut = torch.randint(3, 30, (2, 6)), torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]], dtype=torch.bool)
    targets, kept = torch.randint(3, 30, (2, 5)), torch.tensor([[1] * 5, [1, 1, 0, 0, 0]], dtype=torch.bool)
    other_source, other_targets = source.clone(), targets.clone()
    other_source[1, 3:], other_targets[1, 2:] = 9, 8
    gradients = []
    for sources, texts in ((source, targets), (other_source, other_targets)):
        model.zero_grad()
        found = sequence_log_probs(model, sources, shut, texts, kept)
        assert found[1, 2:].tolist() == [0, 0, 0]
        found.sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_token_never_depends_on_later_ones(model: EncoderDecoder) -> None:
    source, mask = torch.randint(3, 30, (1, 6)), torch.ones(1, 6, dtype=torch.bool)
    targets = torch.randint(3, 30, (1, 8))
    later = targets.clone()
    later[:, 5:] = 4
    whole = torch.ones_like(targets)
    with torch.no_grad():
        one = sequence_log_probs(model, source, mask, targets, whole)[:, :5]
        other = sequence_log_probs(model, source, mask, later, whole)[:, :5]
    torch.testing.assert_close(one, other)
