"""The arguments of ``serve.llm:app``: what is filled in, and what is refused in one line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.config import ConfigError, validate
from cetd.config.serve_llm import ServeLLMConfig


def test_a_name_is_enough() -> None:
    config = validate(ServeLLMConfig, {"models": [{"name": "alder"}]})
    (model,) = config.models
    assert (model.path, model.replicas, model.gpus, model.threads, model.chat_template) == (None, 1, 0.0, 1, None)
    assert (config.max_queued, config.retry_after_s) == (64, 2)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "models: required, but not given"),
        ({"models": []}, "models=[]: tuple should have at least 1 item"),
        ({"models": [{"path": "runs/x"}]}, "models.0.name: required, but not given"),
        ({"models": [{"name": "a:b"}]}, "models.0.name='a:b': string should match pattern"),
        ({"models": [{"name": "a/b"}]}, "models.0.name='a/b': string should match pattern"),
        ({"models": [{"name": "a", "replica": 2}]}, "models.0.replica: unknown key; "),
        ({"models": [{"name": "a", "replicas": 0}]}, "models.0.replicas=0: input should be greater than 0"),
        ({"models": [{"name": "a", "gpus": 1.5}]}, "models.0: gpus=1.5 is no whole number: use a part of one GPU"),
        ({"models": [{"name": "a"}, {"name": "a"}]}, "models: names must be unique (. and _ are one), got ['a', 'a']"),
        ({"models": [{"name": "a.b"}, {"name": "a_b"}]}, "models: names must be unique (. and _ are one), got "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(args: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        validate(ServeLLMConfig, args)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@given(st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,3}", fullmatch=True), min_size=1, max_size=6))
def test_models_never_share_a_deployment(names: list[str]) -> None:
    deployments = {name.replace(".", "_") for name in names}
    args = {"models": [{"name": name} for name in names]}
    if len(deployments) == len(names):
        assert [model.name for model in validate(ServeLLMConfig, args).models] == names
    else:
        with pytest.raises(ConfigError, match="names must be unique"):
            validate(ServeLLMConfig, args)
