"""A local Ray for the tests of actors, and a tiny LLM that vLLM can run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import torch

from cetd.config import DecoderConfig
from cetd.data.tokenizer import Tokenizer
from cetd.models import huggingface
from cetd.models.decoder import Decoder


@pytest.fixture(scope="package")  # a process has one Ray at a time, and tests/serve/ has another
def local_ray() -> Iterator[None]:
    ray.init(address="local", num_cpus=8, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def llm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained LLM: what it says is noise, but always the same noise."""
    folder = tmp_path_factory.mktemp("llm")
    tokenizer = Tokenizer.train(["def f(xs):\n    return sum(xs)\n"], 300)
    torch.manual_seed(0)
    model = Decoder(
        DecoderConfig(vocab_size=tokenizer.vocab_size, d_model=64, n_heads=2, n_kv_heads=2, n_layers=2, d_ff=96)
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(5)
    huggingface.save(model, folder)
    tokenizer.save(folder)
    return folder
