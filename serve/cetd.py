"""The application that serves CET-D: ``serve run configs/serve/local.yaml``, or ``serve deploy`` on a cluster."""

from __future__ import annotations

from typing import Any

from ray.serve import Application
from ray.serve.config import AutoscalingConfig, BackpressureConfig

from cetd.config.loading import validate
from cetd.config.serve import ServeConfig
from cetd.run_folder import runs_root
from serve.gateway import GatewayDeployment
from serve.model import WAITING_ROWS, Model

# Requests that one gateway has in hand: it waits far more than it works.
GATEWAY_REQUESTS = 1024
# Requests that it has not begun; Serve refuses further ones before the gateway sees them.
GATEWAY_BURST = 64
# The share of a full batch from which another replica is started.
BUSY = 0.75
# The gateway has an access log of its own.
QUIET = {"enable_access_log": False}
DRAIN_S = 60.0


def app(args: dict[str, Any]) -> Application:
    """The gateway in front of the model, as ``args`` say: the fields of :class:`ServeConfig`.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    config = validate(ServeConfig, args)
    # Replicas may stand in another folder.
    runs = runs_root(config.runs)
    model, limits = config.model, config.limits
    rows = config.batching.max_rows
    refused = BackpressureConfig(status_code=503, retry_after_s=limits.retry_after_s)
    options: dict[str, Any] = {"num_replicas": model.replicas}
    if model.max_replicas:
        options = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=model.replicas, max_replicas=model.max_replicas, target_ongoing_requests=BUSY * rows
            )
        }
    each = rows + WAITING_ROWS
    places = max(model.replicas, model.max_replicas or 0) * each + limits.max_queued
    served = Model.options(
        **options,
        max_ongoing_requests=each,
        # Serve counts requests on their way to a replica as waiting, too. A lone gateway that knows how many replicas
        # there are counts exactly, and its own bound comes first.
        max_queued_requests=places if config.gateways == 1 and model.max_replicas is None else limits.max_queued,
        backpressure_config=refused,
        max_surge_percent=100,
        graceful_shutdown_timeout_s=DRAIN_S,
        health_check_period_s=2,
        logging_config=QUIET,
        ray_actor_options={"num_cpus": model.cpus, "num_gpus": model.gpus},
    ).bind(config, runs)
    return GatewayDeployment.options(
        num_replicas=config.gateways,
        max_ongoing_requests=GATEWAY_REQUESTS,
        max_queued_requests=GATEWAY_BURST,
        backpressure_config=refused,
        graceful_shutdown_timeout_s=DRAIN_S,
        logging_config=QUIET,
        ray_actor_options={"num_cpus": 0},
    ).bind(config, runs, served, places)
