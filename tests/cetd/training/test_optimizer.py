import pytest
import torch
from torch import nn

from cetd.config import OptimizerConfig
from cetd.training.optimizer import apply_gradients, learning_rate, make_optimizer


def rates(total: int, **fields) -> list[float]:
    config = OptimizerConfig(learning_rate=1.0, **fields)
    return [learning_rate(step, total, config) for step in range(total + 1)]


def test_a_constant_rate_follows_the_warm_up():
    assert rates(6, schedule="constant", warmup_steps=2) == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_a_linear_decay_ends_at_the_floor():
    assert rates(4, schedule="linear", min_learning_rate=0.2) == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_a_cosine_decay_is_half_way_in_the_middle():
    values = rates(8, schedule="cosine", warmup_steps=4, min_learning_rate=0.5)
    assert values[:4] == [0.25, 0.5, 0.75, 1.0]
    assert (values[4], values[6], values[8]) == pytest.approx((1.0, 0.75, 0.5))


def test_steps_past_the_end_stay_at_the_floor():
    config = OptimizerConfig(learning_rate=1.0, schedule="cosine", min_learning_rate=0.1)
    assert learning_rate(50, 10, config) == pytest.approx(0.1)


def test_decay_applies_to_matrices_and_not_to_norms():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    optimizer = make_optimizer(model, OptimizerConfig(learning_rate=0.1, weight_decay=0.5))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decays[id(p)] for name, p in model.named_parameters()} == {
        "0.weight": 0.5,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }


def test_gradients_are_clipped_and_the_norm_before_is_returned():
    model = nn.Linear(2, 1, bias=False)
    config = OptimizerConfig(learning_rate=0.1, clip=0.5)
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert apply_gradients(make_optimizer(model, config), 0, 1, config) == pytest.approx(5.0)
    assert float(model.weight.grad.norm()) == pytest.approx(0.5, rel=1e-4)
