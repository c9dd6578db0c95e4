"""Makes the models that a run needs and nobody gave it, in parallel Ray tasks, and finds those made before."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import ray
import torch
from ray.exceptions import RayError, RayTaskError

from cetd.config import FeedbackJobConfig, LLMConfig, MicroAppsConfig, PolicyConfig
from cetd.data.tokenizer import Tokenizer
from cetd.errors import InfrastructureError
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.making import make_llm, make_policy, make_tokenizer

log = logging.getLogger("feedback")

PROGRESS_EVERY_S = 15.0


@dataclass(frozen=True)
class Models:
    """Folders in Hugging Face layout, and what identifies each LLM's weights; no folder behind an endpoint."""

    policy: Path
    llms: dict[str, Path | None]
    revisions: dict[str, str]


@ray.remote(num_cpus=0)
class Training:
    """How far the models in the making are, by name: (steps done, steps in all, loss)."""

    def __init__(self) -> None:
        self._progress: dict[str, tuple[int, int, float]] = {}

    def report(self, name: str, done: int, total: int, loss: float) -> None:
        self._progress[name] = done, total, loss

    def progress(self) -> dict[str, tuple[int, int, float]]:
        return self._progress


@ray.remote(num_cpus=1, max_retries=2)
def _make(
    config: LLMConfig | PolicyConfig, apps: MicroAppsConfig, vocab_size: int, seed: int, root: Path, training: Any
) -> Path:
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(apps, vocab_size)

    def progress(done: int, total: int, loss: float) -> None:
        if done % max(1, total // 20) == 0:
            training.report.remote(config.name, done, total, loss)

    if isinstance(config, LLMConfig):
        return make_llm(config, apps, tokenizer, seed, root, progress)
    return make_policy(config, apps, tokenizer, seed, root, progress)


async def make_models(config: FeedbackJobConfig, root: Path) -> Models:
    """Folders of all models of a run: as given, made before, or made now.

    Raises:
        ValueError: a given folder cannot be used, or a model has no folder and cannot be made; the line names it.
        InfrastructureError: a model's making broke off.
    """
    wanted = [part for part in (config.policy, *config.llms) if part.path is None and not _behind_endpoint(part)]
    apps = config.apps
    if wanted and not isinstance(apps, MicroAppsConfig):
        raise ValueError(
            f"{wanted[0].name}: path is unset, and models are made from micro-apps only; give a Hugging Face folder"
        )
    training: Any = Training.remote()
    # The longest first: with few CPUs the last one started decides when all are done.
    wanted.sort(key=_work, reverse=True)
    tasks = {
        part.name: _make.remote(part, apps, config.tokenizer_vocab, config.run.seed, root, training)
        for part in wanted
        if isinstance(apps, MicroAppsConfig)
    }
    made = await _awaited(tasks, training)
    policy = config.policy.path.absolute() if config.policy.path else made[config.policy.name]
    _check_policy(policy)
    llms = {
        llm.name: None if _behind_endpoint(llm) else (llm.path.absolute() if llm.path else made[llm.name])
        for llm in config.llms
    }
    return Models(policy, llms, {llm.name: revision(llm, llms[llm.name]) for llm in config.llms})


def revision(config: LLMConfig, folder: Path | None) -> str:
    """Digest of an LLM's weights and tokenizer, or the endpoint and the model's name there.

    Raises:
        ValueError: the folder is not one of a model with its tokenizer.
    """
    if folder is None:
        return f"{config.base_url} {config.served_model or config.name}"
    huggingface.read_config(folder)
    digest = blake2b(digest_size=8)
    for path in [*sorted(folder.glob("*.safetensors")), _tokenizer_file(folder)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _behind_endpoint(config: LLMConfig | PolicyConfig) -> bool:
    return isinstance(config, LLMConfig) and config.engine == "openai"


def _work(config: LLMConfig | PolicyConfig) -> int:
    if isinstance(config, LLMConfig):
        return config.pretrain.steps * config.model.n_layers * config.model.d_model**2
    layers = config.model.encoder_layers + config.model.decoder_layers
    return (config.pretrain.steps + config.mixture.steps) * layers * config.model.d_model**2


async def _awaited(tasks: dict[str, ray.ObjectRef], training: Any) -> dict[str, Path]:
    pending = {asyncio.ensure_future(reference): name for name, reference in tasks.items()}
    made: dict[str, Path] = {}
    shown: dict[str, tuple[int, int, float]] = {}
    while pending:
        done, _ = await asyncio.wait(pending, timeout=PROGRESS_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            name = pending.pop(task)
            try:
                made[name] = task.result()
            except RayTaskError as error:
                if isinstance(error.cause, (ValueError, OSError)):
                    raise error.cause from None
                raise
            except RayError as error:
                raise InfrastructureError(f"making {name} broke off: {type(error).__name__}; run again") from error
            log.info("%s: %s", name, made[name])
        progress = await training.progress.remote()
        for name, (step, total, loss) in progress.items():
            if name in pending.values() and shown.get(name) != progress[name]:
                log.info("training %s: step %d of %d, loss %.3f", name, step, total, loss)
        shown = dict(progress)
    return made


def _check_policy(folder: Path) -> None:
    if not isinstance(huggingface.load(folder), EncoderDecoder):
        raise ValueError(
            f"policy.path={folder}: a decoder-only model; the policy is an encoder-decoder (model_type t5)"
        )
    Tokenizer.load(_tokenizer_file(folder).parent)


def _tokenizer_file(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    if not path.exists():
        raise ValueError(f"{folder}: no tokenizer.json there; a model's folder holds its tokenizer")
    return path
