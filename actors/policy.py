"""Policy actors: replicas of CET-D that pull weights by version and generate groups.

A call names everything that its result depends on (version, sources, seeds), so that Ray may restart a killed
replica and repeat the call elsewhere: the same samples come back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import ray
import torch

from actors.busy import Busy, busy
from cetd import seeds
from cetd.config import PolicyConfig, SamplingConfig
from cetd.data.app import App
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.feedback.batch import pad
from cetd.feedback.rollout import Sample
from cetd.generation.encoder_decoder import generate
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder


@dataclass(frozen=True)
class Draw:
    """What identifies the samples of some groups: each seed derives from (run seed, iteration, app, sample)."""

    run_seed: int
    iteration: int
    samples: int
    sampling: SamplingConfig

    def seed(self, app_id: str, sample: int) -> int:
        return seeds.derive(self.run_seed, self.iteration, app_id, sample)


@dataclass(frozen=True)
class Weights:
    """A policy version, and where its tensors are: pulled only by a replica that does not hold the version."""

    version: int
    tensors: ray.ObjectRef


@ray.remote(max_restarts=10, max_task_retries=10)
class PolicyActor:
    """Holds one replica of the policy."""

    def __init__(self, config: PolicyConfig, folder: Path) -> None:
        torch.set_num_threads(max(1, int(config.cpus)))
        model = huggingface.load(folder)
        assert isinstance(model, EncoderDecoder)
        self._device = torch.device("cuda" if config.gpus else "cpu")
        self._model = model.to(self._device).eval()
        self._tokenizer = Tokenizer.load(folder)
        self._version: int | None = None
        self._revision = ""

    def process_id(self) -> int:
        return os.getpid()

    def generate(self, weights: Weights, apps: Sequence[App], draw: Draw) -> tuple[list[Sample], str, Busy]:
        """``draw.samples`` requirements texts for each app, app by app, and the digest of the weights behind them."""
        with busy("generate", f"policy-{os.getpid()}") as interval:
            self._pull(weights)
            sources, mask = pad([self._tokenizer.encode(app.source_text) for app in apps], PAD_ID, torch.long)
            drawn = [(app, sample) for app in apps for sample in range(draw.samples)]
            row_seeds = [draw.seed(app.app_id, sample) for app, sample in drawn]
            outputs = generate(
                self._model,
                sources.to(self._device),
                mask.to(self._device),
                samples=draw.samples,
                sampling=draw.sampling,
                seeds=torch.tensor(row_seeds, device=self._device),
                eos_id=EOS_ID,
                pad_id=PAD_ID,
            )
            samples = [
                Sample(
                    app_id=app.app_id,
                    iteration=draw.iteration,
                    sample=sample,
                    seed=seed,
                    policy_version=weights.version,
                    requirements=self._tokenizer.decode(list(output.tokens)),
                    tokens=tuple(output.tokens),
                    log_probs=tuple(output.log_probs),
                )
                for (app, sample), seed, output in zip(drawn, row_seeds, outputs, strict=True)
            ]
        return samples, self._revision, interval

    def _pull(self, weights: Weights) -> None:
        if weights.version == self._version:
            return
        tensors: dict[str, np.ndarray] = ray.get(weights.tensors)
        # The object store's arrays are read-only; load_state_dict copies them.
        self._model.load_state_dict({name: torch.tensor(array) for name, array in tensors.items()})
        self._version = weights.version
        digest = blake2b(digest_size=8)
        for name in sorted(tensors):
            digest.update(tensors[name].tobytes())
        self._revision = digest.hexdigest()
