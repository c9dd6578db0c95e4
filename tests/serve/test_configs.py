"""The files under ``configs/serve/`` and ``configs/cluster/``: schemas take them, and so do the builders."""

from __future__ import annotations

import json
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from ray.serve.schema import ServeDeploySchema

from cetd.config import load, validate
from cetd.config.serve import ServeConfig
from cetd.config.serve_llm import ServeLLMConfig
from cetd.config.train import TrainJobConfig

ROOT = Path(__file__).parent.parent.parent
CLUSTER = ROOT / "configs" / "cluster"
ARGUMENTS = {"serve.cetd:app": ServeConfig, "serve.llm:app": ServeLLMConfig}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def served(document: dict[str, Any]) -> None:
    """Ray takes the document, and each builder its arguments."""
    deployed = ServeDeploySchema.model_validate(document)
    for application in deployed.applications:
        assert find_spec(application.import_path.split(":")[0])
        validate(ARGUMENTS[application.import_path], application.args)


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "serve").glob("*.yaml")), ids=lambda path: path.name)
def test_ray_takes_the_applications_and_the_builders_their_arguments(path: Path) -> None:
    served(read(path))


def test_ray_up_takes_the_file_of_the_p40_nodes() -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8"))
    document = read(CLUSTER / "p40.yaml")
    jsonschema.validate(document, schema)
    provider = document["provider"]
    assert provider["type"] == "local"
    # What Ray's local provider asks for beyond its schema.
    assert document["max_workers"] == len(provider["worker_ips"])
    assert {"head_ip", "worker_ips"} <= set(provider)
    assert "ssh_user" in document["auth"]
    commands = " ".join(document["setup_commands"])
    assert "cu126" in commands
    assert "vllm" not in commands


@pytest.mark.parametrize(
    ("name", "kind", "required", "cluster"),
    [
        ("rayjob.yaml", "RayJob", {"entrypoint", "rayClusterSpec"}, "rayClusterSpec"),
        ("rayservice.yaml", "RayService", {"serveConfigV2", "rayClusterConfig"}, "rayClusterConfig"),
    ],
)
def test_kuberays_required_fields_are_there(name: str, kind: str, required: set[str], cluster: str) -> None:
    document = read(CLUSTER / name)
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", kind)
    assert document["metadata"]["name"]
    spec = document["spec"]
    assert required <= set(spec)
    nodes = spec[cluster]
    assert nodes["rayVersion"] == ray.__version__
    for group in (nodes["headGroupSpec"], *nodes["workerGroupSpecs"]):
        assert isinstance(group["rayStartParams"], dict)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        for container in group["template"]["spec"]["containers"]:
            assert {"name", "image", "resources"} <= set(container)
            volumes = {volume["name"] for volume in group["template"]["spec"]["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    for group in nodes["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert group["groupName"]


def test_the_service_on_kubernetes_is_one_that_serve_takes() -> None:
    served(yaml.safe_load(read(CLUSTER / "rayservice.yaml")["spec"]["serveConfigV2"]))


def test_the_job_on_kubernetes_is_one_that_trains_on_as_many_gpus_as_its_cluster_has() -> None:
    spec = read(CLUSTER / "rayjob.yaml")["spec"]
    python, flag, module, option, path, *overrides = shlex.split(spec["entrypoint"])
    assert (python, flag, module, option) == ("python", "-m", "jobs.train", "--config")
    config = load(TrainJobConfig, ROOT / path, overrides)
    (group,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert config.parallel.workers * config.parallel.gpus == group["replicas"] * int(limits["nvidia.com/gpu"])
    assert config.parallel.cpus <= int(limits["cpu"])
