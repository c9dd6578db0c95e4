"""Which model is served: the one that was named, the registry's live one, the demo's, or one made here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from cetd import config as configuration
from cetd.config import FeedbackJobConfig, MicroAppsConfig
from cetd.config.models import PRESETS
from cetd.config.serve import ServedModelConfig
from cetd.registry import Registry
from cetd.training.checkpoint import latest
from cetd.training.making import make_policy, make_tokenizer

log = logging.getLogger(__name__)

TINY = PRESETS.parent / "feedback" / "tiny.yaml"


@dataclass(frozen=True)
class Source:
    """A Hugging Face folder, and the version that answers name."""

    version: str
    folder: Path


def find(config: ServedModelConfig, runs: Path) -> Source:
    """The model to serve now.

    Raises:
        RegistryError: the live version's files are not those that were registered.
        ValueError: ``path`` names no folder.
    """
    if config.path:
        folder = config.path.absolute()
        if not folder.is_dir():
            raise ValueError(f"model.path={config.path}: no such folder; name one in Hugging Face layout")
        return Source(f"{config.name}@{folder.name}", folder)
    registry = Registry(runs / "registry")
    live = registry.live(config.name)
    if live:
        return Source(live.label, registry.verify(live))
    checkpoint = latest(runs / config.demo / "checkpoints")
    if checkpoint:
        return Source(f"{config.demo}@{checkpoint.name}", checkpoint)
    return Source(f"{config.name}@tiny", _tiny(runs))


def promoted(config: ServedModelConfig, runs: Path) -> str | None:
    """The version that :func:`find` would give for the registry's sake; None where that has no say."""
    live = None if config.path else Registry(runs / "registry").live(config.name)
    return live.label if live else None


def _tiny(runs: Path) -> Path:
    """The policy of the tiny preset, found or made, in fewer steps than there: it is to show how serving works."""
    preset = configuration.load(FeedbackJobConfig, TINY, ["policy.pretrain.steps=200", "policy.mixture.steps=20"])
    assert isinstance(preset.apps, MicroAppsConfig)
    log.info("no model in the registry and no run of the demo: a tiny one is made, which takes half a minute")
    tokenizer = make_tokenizer(preset.apps, preset.tokenizer_vocab)
    return make_policy(preset.policy, preset.apps, tokenizer, preset.run.seed, runs / "models")
