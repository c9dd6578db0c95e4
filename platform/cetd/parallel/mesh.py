"""The device mesh: which data-parallel replica a process serves, and which share of a tensor-parallel model it holds.

Ranks that hold one replica are consecutive, so that a launcher which fills node after node keeps them together.
With one process there is no process group, and nothing here needs torch.distributed to be initialised.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh


class MeshError(ValueError):
    """Processes that cannot be arranged as asked; the message is one line for the user."""


@dataclass(frozen=True)
class Mesh:
    """This process's place among ``data`` replicas of ``tensor`` processes each; a dimension of one has no group."""

    data: int = 1
    tensor: int = 1
    data_rank: int = 0
    tensor_rank: int = 0
    data_group: dist.ProcessGroup | None = None
    tensor_group: dist.ProcessGroup | None = None
    device_mesh: DeviceMesh | None = None


def make_mesh(tensor: int, device: str = "cpu") -> Mesh:
    """The mesh of all processes of the default process group, which ``tensor`` divides; of one where there is none."""
    workers = dist.get_world_size() if dist.is_initialized() else 1
    assert workers % tensor == 0, "the configuration refuses it"
    data = workers // tensor
    if workers == 1:
        return Mesh()
    mesh = init_device_mesh(device, (data, tensor), mesh_dim_names=("data", "tensor"))
    return Mesh(
        data=data,
        tensor=tensor,
        data_rank=mesh.get_local_rank("data"),
        tensor_rank=mesh.get_local_rank("tensor"),
        data_group=mesh.get_group("data") if data > 1 else None,
        tensor_group=mesh.get_group("tensor") if tensor > 1 else None,
        device_mesh=mesh,
    )
