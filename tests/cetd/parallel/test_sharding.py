"""Tensor-parallel models compute what one process computes: loss and gradients, uneven shards, dropout included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.decoder import Decoder
from cetd.models.dropout import seeded
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.cross_entropy import cross_entropy
from cetd.parallel.mesh import Mesh, make_mesh
from cetd.parallel.processes import run
from cetd.parallel.sharding import part_of, shard_model
from cetd.parallel.shards import shares

# Nothing here divides by 2 and by 3: every shard is uneven on one of the degrees.
T5: dict[str, Any] = {
    "vocab_size": 41,
    "d_model": 20,
    "d_ff": 29,
    "d_kv": 4,
    "n_heads": 5,
    "encoder_layers": 2,
    "decoder_layers": 2,
}
LLAMA: dict[str, Any] = {
    "vocab_size": 41,
    "d_model": 20,
    "d_ff": 29,
    "d_head": 4,
    "n_heads": 10,
    "n_kv_heads": 5,
    "n_layers": 2,
}
CONFIGS = {
    "t5": EncoderDecoderConfig(**T5, dropout=0.2),
    "t5-gated-untied": EncoderDecoderConfig(**T5, feed_forward="gated-gelu", tied_lm_head=False, dropout=0.1),
    "t5-without-dropout": EncoderDecoderConfig(**T5),
    "llama": DecoderConfig(**LLAMA, dropout=0.2),
    "llama-untied": DecoderConfig(**LLAMA, tied_lm_head=False, positions="learned"),
}
LENGTHS = (9, 7)


def model_of(config: EncoderDecoderConfig | DecoderConfig) -> EncoderDecoder | Decoder:
    torch.manual_seed(0)
    return EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)


def loss_and_gradients(config: EncoderDecoderConfig | DecoderConfig, mesh: Mesh) -> tuple[Tensor, dict[str, Tensor]]:
    model = model_of(config)
    shard_model(model, mesh)
    source, target = (
        torch.randint(config.vocab_size, (3, n), generator=torch.Generator().manual_seed(n)) for n in LENGTHS
    )
    mask = torch.arange(LENGTHS[0]) < torch.tensor([9, 4, 6])[:, None]
    first = shares(config, mesh.tensor, mesh.tensor_rank).vocabulary.first
    with seeded(model, torch.tensor([11, 12, 13])):
        logits = model(source, mask, target) if isinstance(model, EncoderDecoder) else model(target)
        loss = cross_entropy(logits.flatten(0, 1), target.flatten(), first, mesh.tensor_group).mean()
        loss.backward()
    return loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def in_process(rank: int) -> dict[str, tuple[float, dict[str, list]]]:
    """Losses and gradients as plain lists: a queue of tensors would need their sender to live on."""
    mesh = make_mesh(torch.distributed.get_world_size())
    answers = {}
    for name, config in CONFIGS.items():
        loss, gradients = loss_and_gradients(config, mesh)
        answers[name] = (loss.item(), {key: value.tolist() for key, value in gradients.items()})
    return answers


@pytest.mark.parametrize("degree", [2, 3])
def test_loss_and_gradients_are_those_of_one_process(degree: int) -> None:
    answers = run(degree, in_process)
    for name, config in CONFIGS.items():
        loss, whole = loss_and_gradients(config, Mesh())
        for rank, answer in enumerate(answers):
            its_loss, gradients = answer[name]
            assert its_loss == pytest.approx(loss.item(), rel=1e-5)
            assert gradients.keys() == whole.keys()
            cut = shard_model(model_of(config), Mesh(tensor=degree, tensor_rank=rank))
            for key, gradient in gradients.items():
                expected = part_of(whole[key], cut[key]) if key in cut else whole[key]
                assert deviation(torch.tensor(gradient), expected) < 1e-5, (name, rank, key)


def deviation(tensor: Tensor, expected: Tensor) -> float:
    """Largest difference relative to the largest entry."""
    assert tensor.shape == expected.shape
    return ((tensor - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("name", CONFIGS)
def test_no_process_holds_more_than_its_share(name: str) -> None:
    config = CONFIGS[name]
    whole = {key: value.numel() for key, value in model_of(config).named_parameters()}
    everywhere = sum(count for key, count in whole.items() if "norm" in key or key == "positions.weight")
    held = []
    for rank in range(3):
        model = model_of(config)
        shard_model(model, Mesh(tensor=3, tensor_rank=rank))
        held.append(sum(value.numel() for value in model.parameters()))
    assert sum(held) == sum(whole.values()) + 2 * everywhere


def test_one_process_is_left_as_it_is() -> None:
    model = model_of(CONFIGS["t5"])
    before = [hook for module in model.modules() for hook in module._forward_hooks]
    assert shard_model(model, Mesh()) == {}
    assert [hook for module in model.modules() for hook in module._forward_hooks] == before


def test_cross_entropy_of_one_process_is_torchs() -> None:
    logits, targets = torch.randn(5, 7), torch.randint(7, (5,))
    expected = functional.cross_entropy(logits, targets, reduction="none")
    assert cross_entropy(logits, targets, 0, None).equal(expected)
