"""Policies measured side by side on held-out apps: the same engines, the same draws, nothing learned."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from actors.busy import Busy
from actors.cluster import told_in_one_line
from actors.making import make_models
from actors.policy import Draw, Weights
from actors.reconstruction import ReconstructionLLM
from actors.rollouts import RolloutWorkers
from cetd.config import FeedbackJobConfig
from cetd.data.apps import Apps
from cetd.feedback import store
from cetd.feedback.rollout import Rollout
from cetd.models import huggingface
from cetd.sandbox.admission import measured

log = logging.getLogger("held-out")


async def measure(
    config: FeedbackJobConfig, apps: Apps, policies: Mapping[str, Path], folder: Path, root: Path
) -> dict[str, list[Rollout]]:
    """Greedy rollouts of each policy on all admitted held-out apps, which are also written to ``folder``.

    What an earlier call has left there is read back instead.

    Args:
        config: LLMs, reward and sandbox; of its policy how it is run, and its longest output.
        policies: folders in Hugging Face layout by name, of one architecture and with one tokenizer.
        root: folder of all runs, where models that have to be made are looked for and left.

    Raises:
        ValueError: an app, a model or an endpoint cannot be used.
        InfrastructureError: something broke beyond its retries.
    """
    done = {name: store.read(path) for name in policies if (path := folder / f"{name}.parquet").exists()}
    if len(done) == len(policies):
        return done
    config = config.model_copy(
        update={
            "policy": config.policy.model_copy(update={"path": next(iter(policies.values()))}),
            # All apps of a policy in one batch: engines then see the same ones for the same texts.
            "loop": config.loop.model_copy(update={"max_staleness": 0}),
        }
    )
    with told_in_one_line():
        models = await make_models(config, root / "models")
        llms = [ReconstructionLLM(one, models.llms[one.name], models.revisions[one.name]) for one in config.llms]
        workers = RolloutWorkers(config, models.policy, llms, _ignore, apps.requirements)
        try:
            log.info("starting %d engines, the policy and the sandbox", len(llms))
            await workers.start()
            heldout = measured(apps.heldout, (await workers.admit(apps.heldout)).record)
            sampling = config.policy.sampling.model_copy(update={"temperature": 0.0})
            for version, (name, path) in enumerate(policies.items()):
                if name in done:
                    continue
                log.info("measuring %s on %d held-out apps", name, len(heldout))
                weights = Weights(version, ray.put(_tensors(path)))
                rollouts = await workers.collect(Draw(config.run.seed, -1, 1, sampling), heldout, weights)
                done[name] = [replace(rollout, status="evaluation") for rollout in rollouts]
                store.write(folder / f"{name}.parquet", done[name], config.run.name)
        finally:
            await workers.close()
    return {name: done[name] for name in policies}


def _tensors(folder: Path) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in huggingface.load(folder).state_dict().items()}


def _ignore(_: Busy) -> None:
    """Nobody looks at how busy the workers are."""
