"""Whether a way to train fits the memory of a GPU, and the cheapest one that does.

The order of cost, dearest last, and why:

1. smaller forward passes, more of them per step: the same step and no arithmetic more;
2. layers computed again: a third more arithmetic, nothing to communicate;
3. tensor parallelism: two reductions per block and direction, which wait for PCIe;
4. ZeRO 1, then 2: cheaper to communicate than 3, but this trainer cannot run it, so what it can run comes first;
5. offload: every step moves gradients and weights over PCIe and updates them on the host.

Of two ways, the one that does without the dearer means is cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.parallel.mesh import MeshError
from cetd.parallel.shards import shares
from cetd.training.memory import Memory, Setting, memory
from cetd.training.precision import Precision

# Not for tensors: the CUDA context with the libraries' workspaces, in bytes, and the share of a GPU's memory that the
# allocator loses between blocks.
CONTEXT = 500_000_000
FRAGMENTATION = 0.05


@dataclass(frozen=True)
class Work:
    """What is to be trained, and on what. ``step_size`` examples per optimizer step; lengths are in tokens.

    ``gpu_memory`` is bytes per GPU. ``generates``: between steps a pass's rows are decoded with the model as well.
    """

    model: EncoderDecoderConfig | DecoderConfig
    step_size: int
    input_tokens: int
    output_tokens: int
    precision: Precision
    gpus: int
    gpu_memory: int
    generates: bool = False

    @property
    def available(self) -> int:
        """Bytes per GPU that tensors can have."""
        return max(0, int(self.gpu_memory * (1 - FRAGMENTATION)) - CONTEXT)


@dataclass(frozen=True)
class Way:
    """One way to do the work; ``batch`` examples per forward pass, over all replicas together."""

    batch: int
    tensor: int = 1
    zero: int = 0
    offload: bool = False
    recompute: bool = False


@dataclass(frozen=True)
class Plan:
    """A way, its memory per GPU, and whether that fits."""

    work: Work
    way: Way
    memory: Memory

    @property
    def accumulation(self) -> int:
        """Forward passes per optimizer step."""
        return -(-self.work.step_size // self.way.batch)

    @property
    def overrides(self) -> list[str]:
        """What makes ``python -m jobs.train`` do the work this way."""
        way = self.way
        found = [f"batch_size={way.batch}", f"accumulation={self.accumulation}"]
        found += [f"parallel.workers={self.work.gpus}", f"parallel.tensor={way.tensor}", "parallel.gpus=1"]
        found += ["recompute_activations=true"] * way.recompute
        if way.zero:
            offload = "true" if way.offload else "false"
            found += ["engine=deepspeed", f"deepspeed.stage={way.zero}", f"deepspeed.offload={offload}"]
        return found

    @property
    def fits(self) -> bool:
        return self.missing == 0

    @property
    def missing(self) -> int:
        """Bytes per GPU that it is too large by; 0 where it fits."""
        return max(0, self.memory.total - self.work.available)


def planned(work: Work, way: Way) -> Plan:
    """The memory of doing ``work`` in this ``way``.

    Raises:
        ValueError: the tensor-parallel degree does not divide the GPUs or is more than the model's heads, units or
            tokens; the batch does not divide among the replicas; offload without ZeRO.
    """
    if work.gpus % way.tensor:
        raise MeshError(f"tensor={way.tensor} does not divide gpus={work.gpus}: use {_listed(divisors(work.gpus))}")
    copies = work.gpus // way.tensor
    if way.batch % copies:
        nearest = way.batch + copies - way.batch % copies
        raise ValueError(f"batch={way.batch} does not divide among {copies} replicas; use {nearest}, or more tensor")
    rows = way.batch // copies
    setting = Setting(
        rows=rows,
        input_tokens=work.input_tokens,
        output_tokens=work.output_tokens,
        precision=work.precision,
        tensor=way.tensor,
        replicas=copies,
        zero=way.zero,
        offload=way.offload,
        recompute=way.recompute,
        generated_rows=rows if work.generates else 0,
    )
    return Plan(work, way, memory(work.model, setting))


def cheapest(work: Work) -> Plan:
    """The first way in order of cost that fits; where none does, the one that is the least too large.

    Raises:
        ValueError: no way divides the step among so many GPUs.
    """
    least: Plan | None = None
    for way in _ways(work):
        plan = planned(work, way)
        if plan.fits:
            return plan
        if least is None or plan.missing < least.missing:
            least = plan
    if least is None:
        raise ValueError(
            f"gpus={work.gpus}: neither {work.step_size} examples per step nor the model's heads divide among them; "
            "use fewer"
        )
    return least


def divisors(number: int) -> list[int]:
    """The divisors of a positive number, ascending."""
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def _ways(work: Work) -> Iterator[Way]:
    """All ways, cheapest first."""
    for zero, offload in ((0, False), (1, False), (2, False), (1, True), (2, True)):
        for tensor in _degrees(work):
            copies = work.gpus // tensor
            if zero and copies == 1 and not offload:
                continue
            for recompute in (False, True):
                batches = [batch for batch in divisors(work.step_size) if batch % copies == 0]
                for batch in reversed(batches):
                    yield Way(batch, tensor, zero, offload, recompute)


def _degrees(work: Work) -> Iterator[int]:
    """The tensor-parallel degrees that GPUs and model allow."""
    for tensor in divisors(work.gpus):
        try:
            shares(work.model, tensor, 0)
        except MeshError:
            return
        yield tensor


def _listed(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))
