"""The specification's check of a trainer: a tiny CET-D learns ten examples by heart."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cetd.config import SamplingConfig
from cetd.data.example import Example
from cetd.data.tokenizer import EOS_ID, PAD_ID
from cetd.generation.encoder_decoder import generate
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.mesh import Mesh
from cetd.training.batches import make_batch
from cetd.training.trainer import Trainer
from tests.cetd.training.training import MODELS, job


class Ten:
    """Prompts and completions that have nothing to do with each other."""

    def __init__(self) -> None:
        drawn = torch.randint(3, 48, (10, 12), generator=torch.Generator().manual_seed(1)).tolist()
        self.all = [Example(tuple(row[:6]), (*row[6:], EOS_ID)) for row in drawn]

    def __len__(self) -> int:
        return len(self.all)

    def examples(self, indices: Sequence[int]) -> list[Example]:
        return [self.all[index] for index in indices]


def test_a_tiny_model_learns_ten_examples_until_its_greedy_output_is_the_target() -> None:
    model = MODELS["encoder-decoder"] | {"d_model": 64, "d_ff": 128, "d_kv": 16, "n_heads": 4, "dropout": 0.0}
    config = job(model=model, batch_size=10, max_steps=300, epochs=300)
    torch.manual_seed(0)
    ten = Ten()
    trainer = Trainer(EncoderDecoder(config.model), ten, config, Mesh(), "fp32", torch.device("cpu"))  # type: ignore[arg-type]
    while trainer.step < trainer.total_steps:
        trainer.train_step()
    inputs = make_batch(config.model, ten.all).inputs
    drawn = generate(
        trainer.model.eval(),  # type: ignore[arg-type]
        inputs[0],
        inputs[1],
        samples=1,
        sampling=SamplingConfig(temperature=0.0, max_new_tokens=12),
        seeds=torch.zeros(10, dtype=torch.int64),
        eos_id=EOS_ID,
        pad_id=PAD_ID,
    )
    assert [row.tokens for row in drawn] == [example.completion for example in ten.all]
