"""The typed configuration tree: YAML files plus dotted overrides become frozen, validated objects.

Every default lives here, in the type; presets in ``configs/`` say only what differs. Unknown keys are refused,
and a wrong key, type or value is reported as one line that names the field, the value and what is allowed
(:class:`ConfigError`). Knows nothing of torch or Ray, so that ``--help`` and a wrong key answer at once.
"""

from __future__ import annotations

from cetd.config.apps import FolderAppsConfig, MicroAppsConfig
from cetd.config.feedback import (
    EngineLimits,
    FeedbackConfig,
    FeedbackJobConfig,
    LearnerConfig,
    LLMConfig,
    LoopConfig,
    PolicyConfig,
    RunConfig,
    SamplingConfig,
    SandboxConfig,
)
from cetd.config.loading import describe, dump, load, validate
from cetd.config.models import DecoderConfig, EncoderDecoderConfig, ModelConfig, preset, presets
from cetd.config.recorded import RecipeConfig, SplitConfig
from cetd.config.section import ConfigError, Fraction, Name, Natural, NonNegative, Positive, PositiveFloat, Section
from cetd.config.training import OptimizerConfig, PretrainConfig

__all__ = [
    "ConfigError",
    "DecoderConfig",
    "EncoderDecoderConfig",
    "EngineLimits",
    "FeedbackConfig",
    "FeedbackJobConfig",
    "FolderAppsConfig",
    "Fraction",
    "LLMConfig",
    "LearnerConfig",
    "LoopConfig",
    "MicroAppsConfig",
    "ModelConfig",
    "Name",
    "Natural",
    "NonNegative",
    "OptimizerConfig",
    "PolicyConfig",
    "Positive",
    "PositiveFloat",
    "PretrainConfig",
    "RecipeConfig",
    "RunConfig",
    "SamplingConfig",
    "SandboxConfig",
    "Section",
    "SplitConfig",
    "describe",
    "dump",
    "load",
    "preset",
    "presets",
    "validate",
]
