"""python -m jobs.plan --model cetd-3b --phase 3 --gpus 2 --gpu-memory 24GB [--device p40] [--tensor 2] [--json] …

The memory of a phase's training step per GPU, component by component, whether it fits, the cheapest way to train that
does, and how long the phase takes. Lengths, batch and accumulation are those of configs/train/phaseN.yaml; what is not
given is as that file says. Nothing is allocated. 1 GB is 10^9 bytes and 1 GiB 2^30: a P40 with ECC on has 24.2 GB.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config import ConfigError
from cetd.config.loading import read
from cetd.config.train import TrainJobConfig
from jobs import ROOT
from jobs.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from cetd.training.planning import Plan, Work

_UNITS = {"MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
_PER_EXAMPLES = 1000
ROWS = {
    "weights": "weights",
    "optimizer": "optimizer (AdamW)",
    "communication": "communication buffers",
    "gradients": "in backward: gradients",
    "activations": "  activations",
    "transient": "  more at their peak",
    "update": "or: in the update",
    "kv_cache": "or: KV cache",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(message)


@dataclass(frozen=True)
class _Report:
    """What is printed: the way that was asked for, the cheapest that fits, and seconds per 1000 examples of each."""

    asked: Plan
    cheapest: Plan
    seconds: dict[str, float]
    examples: int | None
    epochs: float
    utilisation: float


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    with one_line_errors():
        report = _report(arguments)
        if arguments.json:
            print(json.dumps({"model": arguments.model, "phase": arguments.phase, **_as_json(report)}, indent=2))
        else:
            _print(arguments.model, arguments.phase, report)


def size(text: str) -> int:
    """Bytes of a size such as 24GB or 22.5GiB.

    Raises:
        ConfigError: it is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|MiB|GB|GiB)", text)
    if not found or not float(found[1]):
        raise ConfigError(
            f"gpu-memory={text!r}: give a number above 0 and its unit, as in 24GB; units: MB, MiB, GB, GiB"
        )
    return int(float(found[1]) * _UNITS[found[2]])


def phase_config(phase: int, model: str, input_tokens: int | None, output_tokens: int | None) -> TrainJobConfig:
    """The phase's configuration with another model, whose dropout is the phase's, and other lengths where given.

    Raises:
        ConfigError: there is no such preset, or sequences are longer than the model's.
    """
    tree = read(ROOT / "configs" / "train" / f"phase{phase}.yaml")
    tree["model"] = {"preset": model, "dropout": tree["model"]["dropout"]}
    lengths = {"max_input_tokens": input_tokens, "max_output_tokens": output_tokens}
    tree["data"] |= {name: length for name, length in lengths.items() if length is not None}
    return configuration.validate(TrainJobConfig, tree)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", required=True, help=f"preset: {', '.join(configuration.presets())}")
    add("--phase", type=int, required=True, choices=(1, 2, 3, 4), help="whose lengths, batch and accumulation")
    add("--gpus", type=_positive, required=True, help="GPUs in all")
    add("--gpu-memory", help="of each, as 24GB or 22.5GiB; unset: the device's")
    add("--device", default="p40", help="for its rate and precision (p40)")
    add("--precision", choices=("auto", "fp32", "fp16", "bf16"), default="auto", help="auto: by device")
    add("--tensor", type=_positive, metavar="N", help="GPUs that hold one replica between them")
    add("--zero", type=int, choices=(0, 1, 2), help="ZeRO stage over the replicas (the phase's)")
    add("--offload", action="store_true", help="optimizer states on the host; needs --zero")
    add("--recompute", action=argparse.BooleanOptionalAction, help="compute layers again in backward")
    add("--batch", type=_positive, metavar="N", help="examples per forward pass, over all replicas")
    add("--input-tokens", type=_positive, metavar="N", help="longest input")
    add("--output-tokens", type=_positive, metavar="N", help="longest output")
    add("--examples", type=_positive, metavar="N", help="examples in the phase's data, for its time")
    add("--utilisation", type=float, help="share of the device's rate that training reaches (0.4)")
    add("--json", action="store_true", help="print JSON")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _report(arguments: argparse.Namespace) -> _Report:
    config = phase_config(arguments.phase, arguments.model, arguments.input_tokens, arguments.output_tokens)
    memory = size(arguments.gpu_memory) if arguments.gpu_memory else None
    # After what is given is known to be good: this imports torch.
    from cetd.training.duration import DEVICES, UTILISATION, operations_per_example, seconds
    from cetd.training.planning import Way, Work, cheapest, divisors, planned
    from cetd.training.precision import choose

    if arguments.device not in DEVICES:
        raise ConfigError(f"device={arguments.device!r} is not known; known: {', '.join(DEVICES)}")
    device = DEVICES[arguments.device]
    batch = arguments.batch or config.batch_size
    work = Work(
        model=config.model,
        step_size=config.batch_size * config.accumulation,
        input_tokens=config.data.max_input_tokens,
        output_tokens=config.data.max_output_tokens,
        precision=choose(arguments.precision, device.capability),
        gpus=arguments.gpus,
        gpu_memory=memory or device.memory,
        generates=arguments.phase == 3,
    )
    degrees = [n for n in divisors(work.gpus) if batch % (work.gpus // n) == 0]
    configured = config.deepspeed if config.engine == "deepspeed" and arguments.zero is None else None
    asked = Way(
        batch=batch,
        tensor=arguments.tensor or next((n for n in degrees if n >= config.parallel.tensor), degrees[-1]),
        zero=configured.stage if configured else arguments.zero or 0,
        offload=arguments.offload or bool(configured and configured.offload),
        recompute=config.recompute_activations if arguments.recompute is None else arguments.recompute,
    )
    plans = {"asked": planned(work, asked), "cheapest": cheapest(work)}
    utilisation = UTILISATION if arguments.utilisation is None else arguments.utilisation
    lasting = {}
    for name, plan in plans.items():
        lengths = work.input_tokens, work.output_tokens
        operations = _PER_EXAMPLES * operations_per_example(config.model, *lengths, plan.way.recompute)
        lasting[name] = seconds(operations, device, work.precision, work.gpus, utilisation)
    return _Report(**plans, seconds=lasting, examples=arguments.examples, epochs=config.epochs, utilisation=utilisation)


def _as_json(report: _Report) -> dict[str, Any]:
    work = report.asked.work
    return {
        **{name: value for name, value in asdict(work).items() if name != "model"},
        "available": work.available,
        "utilisation": report.utilisation,
        "examples": report.examples,
        "epochs": report.epochs,
        **{name: _plan_as_json(report, name) for name in ("asked", "cheapest")},
    }


def _plan_as_json(report: _Report, name: str) -> dict[str, Any]:
    plan: Plan = getattr(report, name)
    return {
        **asdict(plan.way),
        "accumulation": plan.accumulation,
        "memory": asdict(plan.memory) | {"total": plan.memory.total},
        "fits": plan.fits,
        "missing": plan.missing,
        "overrides": plan.overrides,
        "seconds_per_1000_examples": report.seconds[name],
        "seconds": _phase_seconds(report, name),
    }


def _phase_seconds(report: _Report, name: str) -> float | None:
    if report.examples is None:
        return None
    return report.seconds[name] * report.examples / _PER_EXAMPLES * report.epochs


def _print(model: str, phase: int, report: _Report) -> None:
    work, plans = report.asked.work, {"asked": report.asked, "cheapest": report.cheapest}
    shown = Table(
        title=f"{model}, phase {phase}, GPUs: {work.gpus}, {work.precision}; GB of each GPU", title_justify="left"
    )
    shown.add_column("")
    names = {"asked": "asked", "cheapest": "cheapest that fits" if report.cheapest.fits else "least"}
    for name in plans:
        shown.add_column(names[name], justify="right")
    for field, label in ROWS.items():
        shown.add_row(label, *(_gigabytes(getattr(plan.memory, field)) for plan in plans.values()))
    shown.add_section()
    shown.add_row("total", *(_gigabytes(plan.memory.total) for plan in plans.values()), style="bold")
    shown.add_row("available", *[_gigabytes(work.available)] * 2)
    shown.add_row("fits", *("yes" if plan.fits else f"{_gigabytes(plan.missing)} missing" for plan in plans.values()))
    shown.add_row("on the host", *(_gigabytes(plan.memory.host) for plan in plans.values()))
    for field in ("tensor", "zero", "offload", "recompute", "batch"):
        shown.add_row(field, *(_word(getattr(plan.way, field)) for plan in plans.values()))
    shown.add_row("accumulation", *(str(plan.accumulation) for plan in plans.values()))
    shown.add_row("hours per 1000 examples", *(f"{report.seconds[name] / 3600:,.2f}" for name in plans))
    if report.examples is not None:
        lasting = [_phase_seconds(report, name) or 0.0 for name in plans]
        shown.add_row(f"hours of the phase, {report.epochs:g} epochs", *(f"{second / 3600:,.1f}" for second in lasting))
    Console().print(shown)
    for line in _conclusions(report, work):
        print(line)


def _conclusions(report: _Report, work: Work) -> list[str]:
    best = report.cheapest
    lines = [f"Time is at {report.utilisation:.0%} of the device's rate, for inputs and outputs of full length."]
    if not best.fits:
        lines.append(f"No way to train fits: the least lacks {_gigabytes(best.missing)} GB on each GPU.")
    else:
        lines.append(f"The {'way asked for' if report.asked.way == best.way else 'cheapest that fits'}, as overrides:")
        lines.append(f"  {' '.join(best.overrides)}")
    return lines


def _gigabytes(count: int) -> str:
    return f"{count / 10**9:,.2f}"


def _word(value: int | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    main()
