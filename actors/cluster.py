"""Connects a job to Ray: the cluster it was submitted to, or a local one of its own."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.exceptions import RayError, RayTaskError

from cetd.config import FeedbackJobConfig
from cetd.errors import InfrastructureError

log = logging.getLogger(__name__)

PROBE_S = 10.0
# Set by Ray for the entry point of a submitted job.
_SUBMITTED = "RAY_JOB_CONFIG_JSON_ENV_VAR"
# Sums of floats in another order differ in the last bit; MKL may choose the order by alignment unless told not to.
_REPRODUCIBLE = {"MKL_CBWR": "AUTO,STRICT"}


class ClusterError(ValueError):
    """Ray cannot be used as asked; the message is one line for the user."""


def submitted() -> bool:
    """Whether this process is the entry point of ``ray job submit``."""
    return _SUBMITTED in os.environ


def wanted(config: FeedbackJobConfig) -> tuple[float, float]:
    """CPUs and GPUs that all actors of a feedback run set aside together."""
    parts = [
        (config.policy.cpus, config.policy.gpus, config.policy.replicas),
        (config.sandbox.cpus, 0.0, config.sandbox.replicas),
        (config.learner.cpus, config.learner.gpus, config.learner.workers),
        *((llm.cpus, llm.gpus, 1) for llm in config.llms),
    ]
    return sum(cpus * count for cpus, _, count in parts), sum(gpus * count for _, gpus, count in parts)


@contextmanager
def connected(cpus: float, gpus: float, root: Path) -> Iterator[None]:
    """Ray for the body: the cluster of ``RAY_ADDRESS`` (as in a submitted job), else a local one that ends with it.

    Args:
        cpus, gpus: what all actors of the job set aside together.
        root: checkout or unpacked working directory that holds ``platform/``.

    Raises:
        ClusterError: no cluster answers at ``RAY_ADDRESS``, or it is too small.
    """
    address = os.environ.get("RAY_ADDRESS")
    try:
        _probe(address)
        if address:
            # Workers unpack the working directory by themselves, at a path of their own.
            path = "platform:." if submitted() else f"{root / 'platform'}:{root}"
            environment = {"env_vars": {"PYTHONPATH": path, **_REPRODUCIBLE}}
            ray.init(address=address, runtime_env=environment, logging_level=logging.WARNING, log_to_driver=False)
        else:
            os.environ.update(_REPRODUCIBLE)
            os.environ["PYTHONPATH"] = f"{root / 'platform'}:{root}"
            ray.init(
                address="local",
                num_cpus=max(os.cpu_count() or 1, int(cpus) + 1),
                include_dashboard=False,
                logging_level=logging.WARNING,
                # Engines and trainers are talkative; their logs stay in Ray's session folder.
                log_to_driver=False,
            )
    except (ConnectionError, TimeoutError) as error:
        raise ClusterError(
            f"RAY_ADDRESS={address}: no Ray cluster answers ({error}); start one with `ray start --head`, or unset "
            "RAY_ADDRESS to run locally"
        ) from None
    try:
        _check_size(cpus, gpus)
        yield
    finally:
        ray.shutdown()


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """What goes wrong in actors, as the error that it is: a user's to mend, or Ray's; a bug keeps its traceback.

    Raises:
        ValueError, OSError, InfrastructureError: as raised in an actor.
        InfrastructureError: Ray broke beyond its retries; the same command resumes.
    """
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, (ValueError, OSError, InfrastructureError)):
            raise error.cause from error
        raise
    except RayError as error:
        last = str(error).strip().splitlines()[-1]
        raise InfrastructureError(f"Ray: {last}; run the same command again: it resumes") from error


def _probe(address: str | None) -> None:
    """Fail at once where nobody listens: Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=PROBE_S).close()


def _check_size(cpus: float, gpus: float) -> None:
    for name, wanted in (("CPU", cpus), ("GPU", gpus)):
        there = ray.cluster_resources().get(name, 0)
        if wanted > there:
            raise ClusterError(
                f"the cluster has {there:g} {name}s and this job sets {wanted:g} aside: lower the *.{name.lower()}s "
                f"fields, add nodes, or start it with `ray start --head --num-{name.lower()}s={wanted:g}`"
            )
