"""DeepSpeed as the engine: ZeRO spreads the optimizer over the replicas, or keeps it in the host's memory.

Stage 1 (Rajbhandari et al. 2020) spreads AdamW's states, stage 2 the gradients as well; offload (Ren et al. 2021) moves
both, and the update, to the CPU. DeepSpeed knows nothing of how a model is cut: it is told which processes are replicas
of this one, and which parameters are parts. Checkpoints are those of the other engine: replicas put each parameter's
states together, and pick theirs out again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from cetd.config.train import DeepSpeedConfig
from cetd.parallel.engine import MOMENTS, UPDATES, updates_device
from cetd.parallel.mesh import Mesh

# The most numbers that are communicated at a time. DeepSpeed's default of 500 million takes 2 GB.
BUCKET = 50_000_000


class DeepSpeedEngine:
    """An :class:`~cetd.parallel.engine.Engine`; parameters and their arithmetic are fp32."""

    def __init__(
        self,
        model: nn.Module,
        groups: list[dict[str, Any]],
        settings: Mapping[str, Any],
        clip: float,
        mesh: Mesh,
        cut: Collection[str],
        config: DeepSpeedConfig,
        passes: tuple[int, int],
    ) -> None:
        """Take over the model's parameters.

        Args:
            groups: AdamW's groups of parameters, ``settings`` what it is made with.
            cut: names of the parameters of which this process holds a part.
            passes: rows of a forward pass of this replica, and forward passes per update.

        Raises:
            ValueError: the optimizer for offload cannot be compiled here.
        """
        device = next(model.parameters()).device
        # DeepSpeed allocates a whole bucket, however little there is to fill it with.
        bucket = min(BUCKET, sum(parameter.numel() for parameter in model.parameters()))
        deepspeed = imported(device)
        for name, parameter in model.named_parameters():
            vars(parameter)["model_parallel"] = name in cut  # what is whole counts once in the norm
        self._engine, self._zero, _, _ = deepspeed.initialize(
            model=model,
            optimizer=_optimizer(groups, settings, config.offload, device),
            mpu=_Neighbours(mesh.device_mesh or _alone(device)),
            config={
                "train_micro_batch_size_per_gpu": passes[0],
                "gradient_accumulation_steps": passes[1],
                "gradient_clipping": clip,
                "zero_allow_untested_optimizer": True,
                "zero_optimization": {
                    "stage": config.stage,
                    "reduce_bucket_size": bucket,
                    "allgather_bucket_size": bucket,
                    "overlap_comm": False,
                    **({"offload_optimizer": _offloading(device)} if config.offload else {}),
                },
            },
        )
        self._make_states()
        self.forward: Callable[..., Tensor] = self._engine
        self.scaler = torch.GradScaler(device.type, enabled=False)

    @contextmanager
    def running(self, last: bool) -> Iterator[None]:
        self._engine.set_gradient_accumulation_boundary(last)
        yield

    def backward(self, loss: Tensor) -> None:
        self._engine.backward(loss, scale_wrt_gas=False)

    def update(self, rate: float) -> float:
        for group in self._zero.param_groups:
            group["lr"] = rate
        self._engine.step()
        return float(self._engine.get_global_grad_norm())

    def moments(self, parameter: nn.Parameter) -> Mapping[str, Tensor]:
        """Put together from all replicas, which take part."""
        from deepspeed.utils import safe_get_full_optimizer_state as full

        found = {key: state for key in MOMENTS if (state := full(parameter, key)) is not None}
        [first, *_] = self._states().values()
        return {**found, UPDATES: torch.tensor(float(first[UPDATES]))}

    def restore(self, parameter: nn.Parameter, moments: Mapping[str, Tensor]) -> None:
        from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

        safe_set_full_fp32_param(parameter, parameter.detach())
        for key in MOMENTS:
            safe_set_full_optimizer_state(parameter, moments[key].to(parameter.device), key)
        self._set_updates(float(moments[UPDATES]))

    def _states(self) -> dict[Tensor, dict[str, Any]]:
        """The flat pieces that this process updates, and AdamW's states of each."""
        optimizer = self._zero.optimizer
        return {piece: optimizer.state[piece] for group in optimizer.param_groups for piece in group["params"]}

    def _make_states(self) -> None:
        """The states that AdamW would make in its first update.

        DeepSpeed looks for them after the update of the first group of parameters, and finds none of the second's.
        """
        for piece, states in self._states().items():
            states |= {key: torch.zeros_like(piece) for key in MOMENTS}
        self._set_updates(0.0)
        self._zero._lazy_init_hp_params_optimizer_state()

    def _set_updates(self, number: float) -> None:
        for piece, states in self._states().items():
            device = updates_device(self._zero.optimizer, piece)
            states[UPDATES] = int(number) if self._zero.cpu_offload else torch.tensor(number, device=device)


class _Neighbours:
    """The processes around this one, in the words that DeepSpeed asks for them."""

    def __init__(self, mesh: DeviceMesh) -> None:
        self._mesh = mesh

    def get_data_parallel_group(self) -> dist.ProcessGroup:
        return self._mesh.get_group("data")

    def get_data_parallel_rank(self) -> int:
        return self._mesh.get_local_rank("data")

    def get_data_parallel_world_size(self) -> int:
        return self._mesh["data"].size()

    def get_model_parallel_group(self) -> dist.ProcessGroup:
        return self._mesh.get_group("tensor")

    def get_model_parallel_rank(self) -> int:
        return self._mesh.get_local_rank("tensor")

    def get_model_parallel_world_size(self) -> int:
        return self._mesh["tensor"].size()


def imported(device: torch.device) -> Any:
    """The package: it chooses its accelerator while it is imported, and tells of all that it does."""
    os.environ.setdefault("LOCAL_RANK", str(device.index or 0))
    if device.type == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
        os.environ.setdefault("LOCAL_SIZE", str(dist.get_world_size()))
    import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    # Reductions in shared memory are for inference, and take half a minute to compile.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _alone(device: torch.device) -> DeviceMesh:
    """The mesh of a process without others: DeepSpeed wants groups even so."""
    if not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        store = dist.HashStore()  # pyright: ignore[reportPrivateImportUsage]
        dist.init_process_group(backend, store=store, rank=0, world_size=1)
    return init_device_mesh(device.type, (1, 1), mesh_dim_names=("data", "tensor"))


def _optimizer(
    groups: list[dict[str, Any]], settings: Mapping[str, Any], offload: bool, device: torch.device
) -> torch.optim.Optimizer:
    if offload:
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        try:
            return DeepSpeedCPUAdam(groups, **settings)
        except RuntimeError as error:
            raise ValueError(
                f"deepspeed.offload=true: {error} Install a C++ compiler, or set deepspeed.offload=false"
            ) from error
    return torch.optim.AdamW(groups, fused=device.type == "cuda", **settings)


def _offloading(device: torch.device) -> dict[str, Any]:
    return {"device": "cpu", "pin_memory": device.type == "cuda"}
