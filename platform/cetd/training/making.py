"""Makes the models that a run needs and nobody gave it: the tokenizer, the reconstruction LLMs, the starting policy.

A model's folder is ``<root>/<name>-<key>`` in Hugging Face layout with its tokenizer; the key covers the
configuration that makes it and the source code that does. A folder is written aside and renamed, so one that exists
is whole and is used again. Knows nothing of Ray: the caller runs these in parallel.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

import cetd
from cetd.config import LLMConfig, MicroAppsConfig, PolicyConfig, Section
from cetd.data import microapps
from cetd.data.example import Example
from cetd.data.phrases import DIALECTS
from cetd.data.supervised import Pair, corpus, llm_pairs, policy_pairs
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.seeds import derive
from cetd.training.positions import focus_positions
from cetd.training.pretrain import Progress, pretrain

# The code that a made model depends on, relative to the package.
_CODE = (
    "seeds.py",
    *(f"data/{name}.py" for name in ("steps", "phrases", "dialects", "rendering", "microapps", "prompts")),
    *(f"data/{name}.py" for name in ("supervised", "tokenizer", "example")),
    *(f"models/{name}.py" for name in ("encoder_decoder", "decoder", "norm", "dropout", "huggingface")),
    *(f"training/{name}.py" for name in ("optimizer", "batches", "pretrain", "positions", "making")),
)
# Of the apps only these decide what is learned.
_TRAINED_ON = {"train", "families", "min_steps", "max_steps", "tests_per_app", "seed"}


def make_tokenizer(apps: MicroAppsConfig, vocab_size: int) -> Tokenizer:
    """The tokenizer of all models of a run; the same for the same train apps."""
    return Tokenizer.train(corpus(_train_apps(apps)), vocab_size)


def make_llm(
    config: LLMConfig,
    apps: MicroAppsConfig,
    tokenizer: Tokenizer,
    seed: int,
    root: Path,
    progress: Progress | None = None,
) -> Path:
    """The folder of a reconstruction LLM: found under ``root``, or trained now.

    Raises:
        ValueError: an unknown dialect.
    """
    unknown = [dialect for dialect in config.dialects if dialect not in DIALECTS]
    if unknown:
        raise ValueError(f"dialects: {unknown[0]!r} of {config.name} is unknown: use some of {', '.join(DIALECTS)}")
    key = cache_key(config.model, config.pretrain, config.dialects, *_common(apps, tokenizer), seed)

    def train() -> tuple[Decoder, list[float]]:
        pairs = examples(llm_pairs(_train_apps(apps), config.dialects, seed), tokenizer)
        torch.manual_seed(derive("llm weights", config.name, seed))
        model = Decoder(config.model.model_copy(update={"vocab_size": tokenizer.vocab_size}))
        return model, pretrain(model, pairs, config.pretrain, derive("llm", config.name, seed), progress)

    return _found_or_made(root / f"{config.name}-{key}", tokenizer, seed, train)


def make_policy(
    config: PolicyConfig,
    apps: MicroAppsConfig,
    tokenizer: Tokenizer,
    seed: int,
    root: Path,
    progress: Progress | None = None,
) -> Path:
    """The folder of the starting policy: found under ``root``, or trained now in two stages.

    ``progress`` counts the steps of both stages as one training.
    """
    key = cache_key(config.model, config.pretrain, config.mixture, *_common(apps, tokenizer), seed)

    def train() -> tuple[EncoderDecoder, list[float]]:
        learned_from = _train_apps(apps)
        torch.manual_seed(derive("policy weights", config.name, seed))
        model = EncoderDecoder(config.model.model_copy(update={"vocab_size": tokenizer.vocab_size}))
        focus_positions(model)
        total, losses = config.pretrain.steps + config.mixture.steps, []
        for stage, mixture in ((config.pretrain, False), (config.mixture, True)):
            pairs = examples(policy_pairs(learned_from, seed, mixture), tokenizer)
            report = _offset(progress, len(losses), total)
            losses += pretrain(model, pairs, stage, derive("policy", config.name, seed, mixture), report)
        return model, losses

    return _found_or_made(root / f"{config.name}-{key}", tokenizer, seed, train)


def examples(pairs: Sequence[Pair], tokenizer: Tokenizer) -> list[Example]:
    """Token ids of text pairs; completions end with EOS."""
    prompts = tokenizer.encode_batch([prompt for prompt, _ in pairs])
    completions = tokenizer.encode_batch([completion for _, completion in pairs])
    return [
        Example(tuple(prompt), (*completion, EOS_ID)) for prompt, completion in zip(prompts, completions, strict=True)
    ]


def cache_key(*parts: Section | Sequence[str] | str | int) -> str:
    """Digest of what a model is made from, and of the code that makes it."""
    digest = blake2b(digest_size=6)
    for part in parts:
        text = part.model_dump_json() if isinstance(part, Section) else repr(part)
        digest.update(text.encode() + b"\0")
    package = Path(cetd.__file__).parent
    for name in _CODE:
        digest.update((package / name).read_bytes() + b"\0")
    return digest.hexdigest()


def _common(apps: MicroAppsConfig, tokenizer: Tokenizer) -> tuple[str, str]:
    return apps.model_dump_json(include=_TRAINED_ON), tokenizer.digest


def _train_apps(apps: MicroAppsConfig) -> list[microapps.MicroApp]:
    return microapps.generate(apps.model_copy(update={"heldout": 0})).train


def _offset(progress: Progress | None, done: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda step, _, loss: progress(done + step, total, loss)


def _found_or_made(
    folder: Path,
    tokenizer: Tokenizer,
    seed: int,
    train: Callable[[], tuple[EncoderDecoder | Decoder, list[float]]],
) -> Path:
    if folder.exists():
        return folder
    started = time.monotonic()
    model, losses = train()
    last = losses[-20:]
    account = {
        "steps": len(losses),
        "loss": sum(last) / len(last) if last else None,
        "seconds": round(time.monotonic() - started, 1),
        "seed": seed,
    }
    return _publish(folder, model, tokenizer, account)


def _publish(folder: Path, model: EncoderDecoder | Decoder, tokenizer: Tokenizer, account: dict[str, Any]) -> Path:
    """Write the folder aside and rename it; where another process was first, its folder stands."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        huggingface.save(model, aside)
        tokenizer.save(aside)
        (aside / "making.json").write_text(json.dumps(account, indent=2), encoding="utf-8")
        aside.chmod(0o755)
        os.rename(aside, folder)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        if not folder.exists():
            raise
    return folder
