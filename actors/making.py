"""Makes the models that a run needs and nobody gave it, in parallel Ray tasks, and finds those made before."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import ray
import torch

from cetd.config import FeedbackJobConfig, LLMConfig, MicroAppsConfig
from cetd.errors import InfrastructureError
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder

log = logging.getLogger("feedback")


@dataclass(frozen=True)
class Models:
    """Folders in Hugging Face layout, and what identifies each LLM's weights."""

    policy: Path
    llms: dict[str, Path | None]
    revisions: dict[str, str]


def revision(config: LLMConfig, folder: Path | None) -> str:
    """Digest of an LLM's weights and tokenizer, or the endpoint and the model's name there."""
    if folder is None:
        return f"{config.base_url} {config.served_model or config.name}"
    digest = blake2b(digest_size=8)
    for path in sorted(folder.glob("*.safetensors")) + [folder / "tokenizer.json"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


async def make_models(config: FeedbackJobConfig, root: Path) -> Models:
    """Folders of all models of a run: as given, made before, or made now.

    Raises:
        ValueError: a given folder cannot be used; the line names it.
        InfrastructureError: a model could not be made.
    """
    policy = config.policy.path.absolute() if config.policy.path else None
    llms = {llm.name: llm.path.absolute() if llm.path else None for llm in config.llms}
    _check(policy, llms)
    return Models(policy, llms, {llm.name: revision(llm, llms[llm.name]) for llm in config.llms})


def _check(policy, llms): ...
