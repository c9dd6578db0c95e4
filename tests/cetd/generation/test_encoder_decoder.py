"""Generation against transformers, against the training code, and row by row."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import T5ForConditionalGeneration

from cetd.config import EncoderDecoderConfig, SamplingConfig
from cetd.feedback.batch import pad
from cetd.generation.encoder_decoder import Generated, generate
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs

EOS, PAD = 1, 0
Sources = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def model() -> EncoderDecoder:
    torch.manual_seed(3)
    return EncoderDecoder(EncoderDecoderConfig(vocab_size=60, d_model=64, d_ff=96, d_kv=16)).eval()


@pytest.fixture(scope="module")
def sources() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(4)
    tokens = torch.randint(3, 60, (4, 20))
    mask = torch.ones(4, 20, dtype=torch.bool)
    mask[1, 12:] = False
    mask[3, 3:] = False
    return tokens, mask


def run(model: EncoderDecoder, sources: Sources, samples: int, **sampling: float) -> list[Generated]:
    config = SamplingConfig.model_validate({"max_new_tokens": 24, **sampling})
    seeds = torch.arange(len(sources[0]) * samples) * 104729 + 7
    return generate(model, *sources, samples=samples, sampling=config, seeds=seeds, eos_id=EOS, pad_id=PAD)


def test_greedy_equals_transformers(model: EncoderDecoder, sources: Sources, tmp_path: Path) -> None:
    huggingface.save(model, tmp_path)
    theirs: Any = T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    tokens, mask = sources
    expected = theirs.generate(input_ids=tokens, attention_mask=mask.long(), do_sample=False, max_new_tokens=24)
    for row, output in enumerate(run(model, sources, 1, temperature=0)):
        assert list(output.tokens) == expected[row, 1 : 1 + len(output.tokens)].tolist()
        assert len(output.tokens) == 24 or output.tokens[-1] == EOS


def test_log_probs_are_those_of_the_training_code(model: EncoderDecoder, sources: Sources) -> None:
    outputs = run(model, sources, 6, temperature=4.0)
    targets, mask = pad([list(output.tokens) for output in outputs], PAD, torch.long)
    recorded, _ = pad([list(output.log_probs) for output in outputs], 0.0, torch.float32)
    rows = torch.arange(4).repeat_interleave(6)
    with torch.no_grad():
        trained = sequence_log_probs(model, *sources, targets, mask, rows=rows)
    torch.testing.assert_close(trained, recorded, rtol=0, atol=1e-4)
    assert len({len(output.tokens) for output in outputs}) > 3, "rows of many lengths, so that the batch was compacted"


@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
def test_cached_log_probs_equal_those_of_the_full_forward(feed_forward: str, sources: Sources) -> None:
    torch.manual_seed(5)
    config = {"vocab_size": 60, "d_model": 48, "d_kv": 20, "n_heads": 3, "feed_forward": feed_forward}
    model = EncoderDecoder(EncoderDecoderConfig.model_validate({**config, "tied_lm_head": False})).eval()
    outputs = run(model, sources, 3, temperature=0.7, max_new_tokens=40)
    tokens, mask = sources
    for row, output in enumerate(outputs):
        source, shut = tokens[row // 3][None], mask[row // 3][None]
        with torch.no_grad():
            logits = model(source, shut, torch.tensor([[PAD, *output.tokens[:-1]]]))[0]
        expected = logits.log_softmax(-1)[torch.arange(len(output.tokens)), torch.tensor(output.tokens)]
        torch.testing.assert_close(torch.tensor(output.log_probs), expected, rtol=0, atol=1e-5)


def test_truncation_leaves_the_recorded_log_probs_those_of_the_whole_distribution(
    model: EncoderDecoder, sources: Sources
) -> None:
    greedy, truncated = run(model, sources, 1, temperature=0), run(model, sources, 1, temperature=2.0, top_k=1)
    assert truncated == greedy
    assert min(output.log_probs[0] for output in greedy) < -0.01


def test_a_row_that_ends_at_once_holds_its_end_alone(model: EncoderDecoder, sources: Sources) -> None:
    first = run(model, sources, 1, temperature=0)[0].tokens[0]
    tokens, mask = sources
    config = SamplingConfig(max_new_tokens=24, temperature=0)
    seeds = torch.arange(4)
    outputs = generate(model, tokens, mask, samples=1, sampling=config, seeds=seeds, eos_id=first, pad_id=PAD)
    assert outputs[0].tokens == (first,)
    assert len(outputs[0].log_probs) == 1


def test_a_row_does_not_depend_on_its_batch(model: EncoderDecoder, sources: Sources) -> None:
    together = run(model, sources, 6)
    tokens, mask = sources
    seeds = (torch.arange(24) * 104729 + 7)[18:]
    alone = generate(
        model,
        tokens[3:, :3],
        mask[3:, :3],
        samples=6,
        sampling=SamplingConfig(max_new_tokens=24),
        seeds=seeds,
        eos_id=EOS,
        pad_id=PAD,
    )
    for one, other in zip(alone, together[18:], strict=True):
        assert one.tokens == other.tokens
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)


def test_equal_seeds_give_equal_rows_and_others_differ(model: EncoderDecoder, sources: Sources) -> None:
    first, second = run(model, sources, 6), run(model, sources, 6)
    assert first == second
    assert len({output.tokens for output in first[:6]}) == 6


def test_log_probs_match_when_the_encoder_runs_per_row(model: EncoderDecoder, sources: Sources) -> None:
    tokens, mask = sources
    targets = torch.randint(3, 60, (8, 9))
    rows = torch.arange(8) % 4
    whole = torch.ones(8, 9, dtype=torch.bool)
    with torch.no_grad():
        shared = sequence_log_probs(model, tokens, mask, targets, whole, rows=rows)
        apart = sequence_log_probs(model, tokens[rows], mask[rows], targets, whole)
    torch.testing.assert_close(shared, apart)


def test_seeds_must_be_one_per_row(model: EncoderDecoder, sources: Sources) -> None:
    with pytest.raises(ValueError, match=r"seeds: \(3,\) given, one per row needed: \(4,\)"):
        generate(
            model,
            *sources,
            samples=1,
            sampling=SamplingConfig(),
            seeds=torch.arange(3),
            eos_id=EOS,
            pad_id=PAD,
        )
