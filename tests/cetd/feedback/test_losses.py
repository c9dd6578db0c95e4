import pytest
import torch

from cetd.feedback.losses import clipped, k3, reward_weighted


def draw(seed=0, batch=4, target=5):
    generator = torch.Generator().manual_seed(seed)
    log_probs = -torch.rand(batch, target, generator=generator) * 3
    old = log_probs + 0.5 * torch.randn(batch, target, generator=generator)
    advantages = torch.randn(batch, generator=generator)
    mask = torch.arange(target) < torch.tensor([5, 3, 1, 4])[:batch, None]
    return log_probs.requires_grad_(), old, advantages, mask


def gradient(tensor):
    assert tensor.grad is not None
    return tensor.grad


def test_clipped_by_hand():
    log_probs = torch.log(torch.tensor([[0.6, 0.2], [0.55, 0.1]]))
    old = torch.log(torch.tensor([[0.4, 0.2], [0.5, 0.2]]))
    advantages, mask = torch.tensor([1.0, -2.0]), torch.ones(2, 2, dtype=torch.bool)
    loss, stats = clipped(log_probs, old, advantages, mask, 0.2, denominator=4)
    # ratios 1.5 (cut to 1.2), 1 | 1.1, 0.5 (cut to 0.8)
    assert loss.item() == pytest.approx(-(1.2 + 1.0 - 2.2 - 1.6) / 4)
    assert stats["clip_fraction"] == pytest.approx(2 / 4)
    assert stats["mean_ratio"] == pytest.approx((1.5 + 1.0 + 1.1 + 0.5) / 4)


def test_clipped_on_policy_is_the_policy_gradient():
    log_probs, _, advantages, mask = draw()
    loss, stats = clipped(log_probs, log_probs.detach(), advantages, mask, 0.2, denominator=13)
    loss.backward()
    assert torch.allclose(gradient(log_probs), -advantages[:, None] * mask / 13)
    assert stats == {"clip_fraction": 0.0, "mean_ratio": pytest.approx(1.0), "kl": pytest.approx(0.0)}


def test_clipped_tokens_have_no_gradient():
    log_probs = torch.zeros(1, 2, requires_grad=True)
    old = torch.tensor([[-1.0, 0.0]])  # ratios e, 1
    loss, _ = clipped(log_probs, old, torch.tensor([1.0]), torch.ones(1, 2), 0.2, denominator=2)
    loss.backward()
    assert gradient(log_probs).tolist() == [[0.0, -0.5]]


@pytest.mark.parametrize("name", ["clipped", "reward_weighted", "k3"])
def test_losses_of_parts_add_up_to_the_loss_of_the_batch(name):
    def loss(rows):
        log_probs, old, advantages, mask = (tensor[rows] for tensor in draw())
        match name:
            case "clipped":
                return clipped(log_probs, old, advantages, mask, 0.2, denominator=13)[0]
            case "reward_weighted":
                return reward_weighted(log_probs, advantages, mask, denominator=13)
            case _:
                return k3(log_probs, old, mask, denominator=13)

    whole, parts = loss(slice(0, 4)), loss(slice(0, 1)) + loss(slice(1, 4))
    assert whole.item() == pytest.approx(parts.item(), abs=1e-6)


def test_statistics_of_parts_add_up():
    log_probs, old, advantages, mask = draw()
    _, whole = clipped(log_probs, old, advantages, mask, 0.2, denominator=13)
    _, first = clipped(log_probs[:2], old[:2], advantages[:2], mask[:2], 0.2, denominator=13)
    _, second = clipped(log_probs[2:], old[2:], advantages[2:], mask[2:], 0.2, denominator=13)
    assert whole == {name: pytest.approx(first[name] + second[name], abs=1e-6) for name in whole}


@pytest.mark.parametrize("garbage", [float("-inf"), float("nan"), 1e30])
def test_masked_positions_never_matter(garbage):
    log_probs, old, advantages, mask = draw()
    spoilt = log_probs.detach().masked_fill(~mask, garbage).requires_grad_()
    spoilt_old = old.masked_fill(~mask, -garbage)
    losses = (
        clipped(spoilt, spoilt_old, advantages, mask, 0.2, denominator=13)[0],
        reward_weighted(spoilt, advantages, mask, denominator=13),
        k3(spoilt, spoilt_old, mask, denominator=13),
    )
    clean = (
        clipped(log_probs, old, advantages, mask, 0.2, denominator=13)[0],
        reward_weighted(log_probs, advantages, mask, denominator=13),
        k3(log_probs, old, mask, denominator=13),
    )
    assert [loss.item() for loss in losses] == [loss.item() for loss in clean]
    torch.stack(losses).sum().backward()
    assert gradient(spoilt).isfinite().all()
    assert (gradient(spoilt)[~mask] == 0).all()


def test_reward_weighted_by_hand():
    log_probs, mask = torch.tensor([[-1.0, -2.0], [-3.0, -9.0]]), torch.tensor([[1, 1], [1, 0]])
    loss = reward_weighted(log_probs, torch.tensor([0.5, 2.0]), mask, denominator=3, scale=2.0)
    assert loss.item() == pytest.approx(2 * (0.5 * 3 + 2 * 3) / 3)


def test_k3_is_zero_at_the_reference_and_positive_elsewhere():
    log_probs, old, _, mask = draw()
    assert k3(log_probs, log_probs.detach(), mask, denominator=13).item() == 0
    assert k3(log_probs, old, mask, denominator=13).item() > 0


def test_k3_estimates_the_kl_divergence():
    policy, reference = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.5, 0.3])
    drawn = torch.multinomial(policy, 200_000, replacement=True, generator=torch.Generator().manual_seed(0))[None]
    estimate = k3(policy.log()[drawn], reference.log()[drawn], torch.ones_like(drawn), denominator=drawn.numel())
    exact = (policy * (policy / reference).log()).sum()
    assert estimate.item() == pytest.approx(exact.item(), rel=0.02)


def test_run_away_ratio_stays_finite():
    log_probs = torch.zeros(1, 1, requires_grad=True)
    loss, stats = clipped(log_probs, torch.tensor([[-1e4]]), torch.tensor([-1.0]), torch.ones(1, 1), 0.2, denominator=1)
    assert loss.isfinite()
    assert stats["mean_ratio"] > 1e8


@pytest.mark.parametrize("denominator", [0, -1, float("nan")])
def test_denominator_must_be_positive(denominator):
    log_probs, _, advantages, mask = draw()
    with pytest.raises(ValueError, match="denominator="):
        reward_weighted(log_probs, advantages, mask, denominator=denominator)
