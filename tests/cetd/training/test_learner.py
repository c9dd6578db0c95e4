"""The policy update: what it raises, that minibatches and checkpoints change nothing, and what is refused."""

import copy
from pathlib import Path

import pytest
import torch

from cetd.config import EncoderDecoderConfig, FeedbackConfig, LearnerConfig, OptimizerConfig
from cetd.feedback.batch import Batch, pad
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs
from cetd.training import checkpoint
from cetd.training.learner import Learner

TINY = EncoderDecoderConfig(vocab_size=30, d_model=32, d_ff=48, d_kv=8, encoder_layers=1, decoder_layers=1)
CONFIG = LearnerConfig(optimizer=OptimizerConfig(learning_rate=1e-3, clip=1.0))


@pytest.fixture
def model() -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(TINY)


def log_probs(model: EncoderDecoder, batch: Batch) -> torch.Tensor:
    """(batch,) log-probability of each row."""
    sources, source_mask = pad(batch.sources, 0, torch.long)
    targets, mask = pad(batch.targets, 0, torch.long)
    with torch.no_grad():
        return sequence_log_probs(model, sources, source_mask, targets, mask, rows=torch.tensor(batch.rows)).sum(1)


def batch_for(model: EncoderDecoder, iteration: int = 0) -> Batch:
    targets = [[5, 6, 1], [9, 1], [12, 13, 14, 1], [20, 1]]
    batch = Batch(iteration, [[3, 4, 5], [7, 8]], [0, 0, 1, 1], targets, [[0.0]], [1.0, -1.0, 0.5, -0.5])
    sources, source_mask = pad(batch.sources, 0, torch.long)
    padded, mask = pad(targets, 0, torch.long)
    with torch.no_grad():
        old = sequence_log_probs(model, sources, source_mask, padded, mask, rows=torch.tensor(batch.rows))
    rows = [row[: len(target)].tolist() for row, target in zip(old, targets, strict=True)]
    return Batch(iteration, batch.sources, batch.rows, targets, rows, batch.advantages)


@pytest.mark.parametrize("loss", ["clipped", "reward-weighted"])
def test_an_update_raises_what_was_better_and_lowers_what_was_worse(model: EncoderDecoder, loss: str) -> None:
    batch = batch_for(model)
    learner = Learner(model, None, CONFIG, FeedbackConfig.model_validate({"loss": loss}), total_steps=10)
    before = log_probs(model, batch)
    statistics = learner.update(batch, seed=1)
    change = log_probs(model, batch) - before
    assert (change.sign() == torch.tensor(batch.advantages).sign()).all()
    assert statistics["grad_norm"] > 0


def test_shares_of_two_workers_sum_to_the_gradient_of_one(model: EncoderDecoder) -> None:
    batch = batch_for(model)
    whole = Learner(copy.deepcopy(model), None, CONFIG, FeedbackConfig(), 10)
    whole.gradients(batch, range(4))
    shares = []
    for rank in range(2):
        config = CONFIG.model_copy(update={"workers": 2})
        worker = Learner(copy.deepcopy(model), None, config, FeedbackConfig(), 10, rank)
        worker.gradients(batch, range(4))
        shares.append([p.grad for p in worker.model.parameters()])
    for parameter, first, second in zip(whole.model.parameters(), *shares, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, first + second, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("loss", ["clipped", "reward-weighted"])
def test_rows_without_advantage_change_no_gradient(model: EncoderDecoder, loss: str) -> None:
    batch = batch_for(model)
    batch = Batch(0, batch.sources, batch.rows, batch.targets, batch.log_probs, [1.0, 0.0, 0.0, -0.5])
    found = Learner(copy.deepcopy(model), None, CONFIG, FeedbackConfig.model_validate({"loss": loss}), 10)
    found.gradients(batch, range(4))
    # With a reference every row is computed; a weight of 0 leaves the loss as it is.
    config = FeedbackConfig.model_validate({"loss": loss, "kl_weight": 0.0})
    whole = Learner(copy.deepcopy(model), copy.deepcopy(model), CONFIG, config, 10)
    whole.gradients(batch, range(4))
    for one, other in zip(found.model.parameters(), whole.model.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)


def test_a_batch_without_any_advantage_still_has_statistics(model: EncoderDecoder) -> None:
    batch = batch_for(model)
    batch = Batch(0, batch.sources, batch.rows, batch.targets, batch.log_probs, [0.0] * 4)
    statistics = Learner(model, None, CONFIG, FeedbackConfig(), 10).update(batch, seed=0)
    assert statistics["mean_ratio"] == pytest.approx(1.0, abs=1e-3)
    assert statistics["grad_norm"] == 0


def test_the_kl_penalty_pulls_towards_the_start(model: EncoderDecoder) -> None:
    start = copy.deepcopy(model)
    drifted = Learner(model, None, CONFIG, FeedbackConfig(), 10)
    for step in range(5):
        drifted.update(batch_for(model, step), seed=step)
    neutral = batch_for(model)
    neutral = Batch(9, neutral.sources, neutral.rows, neutral.targets, neutral.log_probs, [0.0] * 4)
    distance = (log_probs(model, neutral) - log_probs(start, neutral)).abs().sum()
    config = FeedbackConfig(kl_weight=1.0)
    pulled = Learner(model, start, CONFIG, config, 10)
    for step in range(5):
        pulled.update(neutral, seed=step)
    assert (log_probs(model, neutral) - log_probs(start, neutral)).abs().sum() < distance


def test_a_checkpoint_goes_on_to_the_bit(model: EncoderDecoder, tmp_path: Path) -> None:
    batches = [batch_for(model, step) for step in range(4)]
    learner = Learner(model, None, CONFIG, FeedbackConfig(), 10)
    learner.update(batches[0], 0)
    learner.update(batches[1], 1)
    folder = checkpoint.save(
        tmp_path, model, learner.optimizer, checkpoint.LearnerState(7, 2, learner.steps, {"before": 2}), keep=2
    )
    for step in (2, 3):
        learner.update(batches[step], step)

    resumed_model = huggingface.load(folder)
    assert isinstance(resumed_model, EncoderDecoder)
    resumed = Learner(resumed_model, None, CONFIG, FeedbackConfig(), 10)
    state = checkpoint.read_state(folder)
    checkpoint.load_optimizer(folder, resumed_model, resumed.optimizer)
    resumed.steps = state.optimizer_steps
    for step in (2, 3):
        resumed.update(batches[step], step)
    assert state == checkpoint.LearnerState(7, 2, 2, {"before": 2})
    for name, tensor in learner.model.state_dict().items():
        assert torch.equal(tensor, resumed_model.state_dict()[name]), name
