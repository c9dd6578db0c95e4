"""The planned memory of a training step against what PyTorch's allocator gives out for it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.data.example import Example
from cetd.models.parameters import parameter_table
from cetd.parallel.mesh import Mesh, MeshError
from cetd.training.memory import Setting, memory
from cetd.training.preparation import first_model
from cetd.training.trainer import Trainer
from tests.cetd.training.allocations import peak_bytes
from tests.cetd.training.training import job

RELU = EncoderDecoderConfig(
    vocab_size=1000, d_model=128, d_ff=512, d_kv=32, n_heads=4, encoder_layers=3, decoder_layers=3, dropout=0.1
)
GATED = RELU.model_copy(update={"feed_forward": "gated-gelu", "tied_lm_head": False})
WIDE = RELU.model_copy(update={"d_model": 256, "d_ff": 1025, "n_heads": 8})
LLAMA = DecoderConfig(
    vocab_size=1000, d_model=128, d_ff=384, d_head=32, n_heads=4, n_kv_heads=4, n_layers=4, max_positions=512
)
GROUPED = LLAMA.model_copy(
    update={"n_heads": 8, "n_kv_heads": 4, "d_model": 256, "d_ff": 700, "dropout": 0.1, "tied_lm_head": False}
)

COMBINATIONS = {
    "relu": (RELU, Setting(4, 256, 128)),
    "relu, recomputed": (RELU, Setting(4, 256, 128, recompute=True)),
    "relu, long input, recomputed": (RELU, Setting(1, 640, 128, recompute=True)),
    "relu, no dropout": (RELU.model_copy(update={"dropout": 0.0}), Setting(8, 64, 160)),
    "relu, mostly weights": (
        RELU.model_copy(update={"d_model": 512, "d_ff": 2048, "n_heads": 8, "vocab_size": 8000}),
        Setting(2, 64, 32),
    ),
    "gated, untied": (GATED, Setting(4, 256, 128)),
    "gated, untied, recomputed": (GATED, Setting(4, 256, 128, recompute=True)),
    "relu, a third": (WIDE, Setting(4, 256, 128, tensor=3)),
    "relu, a third, recomputed": (WIDE, Setting(4, 256, 128, tensor=3, recompute=True)),
    "llama": (LLAMA, Setting(4, 256, 128)),
    "llama, recomputed": (LLAMA, Setting(4, 256, 128, recompute=True)),
    "llama, bf16": (LLAMA, Setting(4, 256, 128, precision="bf16")),
    "llama, bf16, recomputed": (LLAMA, Setting(4, 256, 128, precision="bf16", recompute=True)),
    "llama, mostly logits": (LLAMA.model_copy(update={"vocab_size": 8000}), Setting(2, 64, 256)),
    "grouped, untied": (GROUPED, Setting(4, 128, 256)),
    "grouped, untied, a half, recomputed": (GROUPED, Setting(4, 128, 256, tensor=2, recompute=True)),
}


class Full:
    """Examples that are as long as can be."""

    def __init__(self, vocabulary: int, setting: Setting) -> None:
        self.vocabulary, self.setting = vocabulary, setting

    def __len__(self) -> int:
        return 64

    def examples(self, indices: Sequence[int]) -> list[Example]:
        return [
            Example(self._tokens(index, self.setting.input_tokens), self._tokens(index + 1, self.setting.output_tokens))
            for index in indices
        ]

    def _tokens(self, index: int, length: int) -> tuple[int, ...]:
        return tuple(3 + (7 * index + place) % (self.vocabulary - 3) for place in range(length))


@pytest.fixture(scope="module")
def alone() -> Iterator[dist.ProcessGroup]:
    """A group that sends nothing and whose code is otherwise that of a larger one.

    Gloo's would not do: its own thread may be the last that lets go of a tensor, and PyTorch's profiler does not see
    what other threads free.
    """
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=1)
    assert dist.group.WORLD is not None
    yield dist.group.WORLD
    dist.destroy_process_group()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_plan_is_within_a_tenth_of_the_measured_peak(name: str, alone: dist.ProcessGroup) -> None:
    model, setting = COMBINATIONS[name]
    config = job(
        model=model.model_dump(), batch_size=setting.rows, accumulation=2, recompute_activations=setting.recompute
    )
    mesh = Mesh(tensor=setting.tensor, tensor_group=alone if setting.tensor > 1 else None)
    data = Full(model.vocab_size, setting)
    trainer = Trainer(first_model(config), data, config, mesh, setting.precision, torch.device("cpu"))
    weights = sum(parameter.numel() * parameter.element_size() for parameter in trainer.model.parameters())

    def two_steps() -> None:  # the optimizer's states are there from the second on
        trainer.train_step()
        trainer.train_step()

    measured = weights + peak_bytes(two_steps)
    plan = memory(model, replace(setting, on_cpu=True))
    assert plan.weights == weights
    assert plan.total == pytest.approx(measured, rel=0.1), f"{plan.total / measured - 1:+.1%}"
    # Weights, gradients and moments are simple to count: what remains is held to the same bound.
    standing = 4 * weights
    assert plan.total - standing == pytest.approx(measured - standing, rel=0.1)


def test_every_weight_has_a_gradient_and_two_moments() -> None:
    plan = memory(RELU, Setting(1, 64, 64))
    assert plan.weights == plan.gradients == 4 * parameter_table(RELU).total
    assert plan.optimizer == 2 * plan.weights
    assert plan.host == plan.communication == plan.kv_cache == 0


def test_zero_spreads_states_and_then_gradients_over_the_replicas() -> None:
    whole, first, second = (memory(RELU, Setting(1, 64, 64, replicas=4, zero=stage)) for stage in (0, 1, 2))
    assert first.optimizer == second.optimizer == whole.optimizer // 4
    assert first.gradients == whole.gradients == 4 * second.gradients
    assert first.communication > whole.communication


def test_offload_moves_the_spread_states_to_the_host() -> None:
    first, second = (memory(RELU, Setting(1, 64, 64, replicas=2, zero=stage, offload=True)) for stage in (1, 2))
    assert first.optimizer == second.optimizer == second.gradients == 0
    assert first.gradients == first.weights
    assert first.host == first.weights * 2
    assert second.host == first.host + second.weights // 2


def test_tensor_parallelism_counts_the_largest_of_uneven_shares() -> None:
    whole, third = memory(RELU, Setting(1, 64, 64)), memory(RELU, Setting(1, 64, 64, tensor=3))
    assert whole.weights / 3 < third.weights < whole.weights / 2  # 2 of 4 heads, 334 of 1000 tokens, 171 of 512 units
    assert third.communication == 4 * 64 * RELU.d_model


def test_recomputed_layers_keep_less() -> None:
    kept, again = (memory(LLAMA, Setting(4, 128, 128, recompute=recompute)) for recompute in (False, True))
    assert again.activations < kept.activations / 3
    assert again.total < kept.total


def test_the_cache_holds_keys_and_values_of_all_positions() -> None:
    cache = memory(GROUPED, Setting(1, 100, 28, generated_rows=3)).kv_cache
    assert cache == 4 * 2 * GROUPED.n_layers * 3 * 128 * GROUPED.n_kv_heads * GROUPED.d_head
    half = memory(GROUPED, Setting(1, 100, 28, generated_rows=3, tensor=2)).kv_cache
    assert half == cache // 2


def test_the_total_counts_what_is_there_together() -> None:
    plan = memory(RELU, Setting(1, 8, 8, generated_rows=64))
    assert plan.kv_cache > plan.activations + plan.transient
    assert plan.total == plan.weights + plan.gradients + plan.optimizer + max(plan.kv_cache, plan.update)


def test_a_large_model_is_planned_without_memory_for_it() -> None:
    large = DecoderConfig(
        vocab_size=32000,
        d_model=8192,
        d_ff=28672,
        d_head=128,
        n_heads=64,
        n_kv_heads=8,
        n_layers=80,
        max_positions=4096,
    )
    assert memory(large, Setting(1, 2048, 512, tensor=8)).total > 10**11


def test_what_is_impossible_is_refused() -> None:
    with pytest.raises(MeshError, match="n_heads=4 leaves a process without any"):
        memory(RELU, Setting(1, 64, 64, tensor=5))
    with pytest.raises(ValueError, match="zero=3: use stage 0, 1 or 2"):
        Setting(1, 64, 64, zero=3)
    with pytest.raises(ValueError, match=r"offload: .* use it with zero=1"):
        Setting(1, 64, 64, offload=True)
