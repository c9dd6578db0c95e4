"""python -m tests.actors.lost_node FOLDER: trains on simulated nodes, one of which is lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from actors.training import placement, train
from tests.actors.test_training import ACROSS_NODES, KILLED_AT, job

WORKERS = ACROSS_NODES["parallel"]["workers"]
CPUS = ACROSS_NODES["parallel"]["cpus"]  # a worker fills a node
SPARE = 1


def main(folder: Path) -> None:
    # A lost node is noticed within ten seconds instead of half a minute; sooner, a busy machine loses sound nodes.
    os.environ.update(RAY_health_check_period_ms="500", RAY_health_check_failure_threshold="20")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=CPUS) for _ in range(WORKERS + SPARE)]
    ray.init(address=cluster.address, log_to_driver=False)
    disturbed = folder / "disturbed"
    lost: list[str] = []

    def remove_a_node(line: dict[str, Any]) -> None:
        if line["iteration"] >= KILLED_AT and not lost:
            lost.append(placement(disturbed)[1].node)
            cluster.remove_node(next(node for node in nodes if node.node_id == lost[0]), allow_graceful=False)

    train(job(disturbed, **ACROSS_NODES), disturbed, remove_a_node)
    assert lost, "training was over before a node could be removed"
    assert lost[0] not in {place.node for place in placement(disturbed)}
    assert len({place.node for place in placement(disturbed)}) == WORKERS
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
