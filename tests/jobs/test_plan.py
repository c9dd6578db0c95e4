"""``python -m jobs.plan`` as its user sees it, and the planner behind it."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from cetd.config import DecoderConfig, EncoderDecoderConfig, load
from cetd.config.train import TrainJobConfig
from cetd.training.duration import DEVICES, operations_per_example, seconds
from cetd.training.planning import Way, Work, cheapest, planned
from jobs.plan import ROWS, main, size
from tests.jobs.running import ROOT

P40S = ["--model", "cetd-3b", "--phase", "3", "--gpus", "2", "--gpu-memory", "24GB"]
MODEL = EncoderDecoderConfig(vocab_size=32000, d_model=1024, d_ff=4096, d_kv=64, n_heads=16, dropout=0.1)
WORK = Work(MODEL, step_size=8, input_tokens=1024, output_tokens=256, precision="fp32", gpus=2, gpu_memory=80 * 10**9)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(list(arguments))
    return capsys.readouterr().out


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return json.loads(shown(capsys, *arguments, "--json"))


def test_components_total_fit_and_time_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    table = shown(capsys, *P40S, "--examples", "1000")
    for text in (*(label.strip() for label in ROWS.values()), "total", "available", "missing", "cheapest that fits"):
        assert text in table
    assert "hours per 1000 examples" in table
    assert "hours of the phase, 20 epochs" in table


def test_lengths_batch_and_degree_are_the_phases(capsys: pytest.CaptureFixture[str]) -> None:
    plan = found(capsys, *P40S)
    assert (plan["input_tokens"], plan["output_tokens"], plan["step_size"]) == (4096, 2048, 8)
    assert plan["precision"] == "fp32"
    asked = plan["asked"]
    assert (asked["batch"], asked["accumulation"], asked["tensor"], asked["recompute"]) == (2, 4, 2, True)
    assert asked["memory"]["kv_cache"] > 0


def test_the_cheapest_way_is_shown_as_overrides_that_training_takes(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *P40S)
    overrides = found(capsys, *P40S)["cheapest"]["overrides"]
    assert " ".join(overrides) in text
    config = load(TrainJobConfig, ROOT / "configs/train/phase3.yaml", ["tokenizer=unused", *overrides])
    assert (config.parallel.workers, config.batch_size * config.accumulation) == (2, 8)
    assert config.engine == "deepspeed"


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_each_phase_fits_the_p40s_that_it_is_configured_for(phase: int) -> None:
    config = load(TrainJobConfig, ROOT / "configs" / "train" / f"phase{phase}.yaml")
    zero = config.engine == "deepspeed"
    plan = planned(
        Work(
            model=config.model,
            step_size=config.batch_size * config.accumulation,
            input_tokens=config.data.max_input_tokens,
            output_tokens=config.data.max_output_tokens,
            precision="fp32",
            gpus=config.parallel.workers,
            gpu_memory=DEVICES["p40"].memory,
        ),
        Way(
            batch=config.batch_size,
            tensor=config.parallel.tensor,
            zero=config.deepspeed.stage if zero else 0,
            offload=zero and config.deepspeed.offload,
            recompute=config.recompute_activations,
        ),
    )
    assert plan.fits, f"{plan.missing / 1e9:.1f} GB missing"


def test_zero_is_the_phases_unless_another_stage_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    phase4 = ["--model", "cetd-5b", "--phase", "4", "--gpus", "3"]
    asked = found(capsys, *phase4)["asked"]
    assert (asked["tensor"], asked["zero"], asked["offload"], asked["fits"]) == (3, 1, True, True)
    asked = found(capsys, *phase4, "--zero", "0")["asked"]
    assert (asked["zero"], asked["offload"], asked["fits"]) == (0, False, False)


def test_what_fits_and_what_is_missing_agree_with_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    plan = found(capsys, *P40S)
    for way in (plan["asked"], plan["cheapest"]):
        assert way["missing"] == max(0, way["memory"]["total"] - plan["available"])
        assert way["fits"] == (way["missing"] == 0)
    assert plan["cheapest"]["fits"]


def test_where_nothing_fits_the_least_is_shown_with_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--model", "lm-7b", "--phase", "1", "--gpus", "1", "--gpu-memory", "8GB")
    assert "No way to train fits: the least lacks" in text


def test_options_change_what_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--tensor", "1", "--zero", "2", "--offload", "--no-recompute", "--batch", "4"]
    asked = found(capsys, *P40S, *options)["asked"]
    assert {name: asked[name] for name in ("tensor", "zero", "offload", "recompute", "batch", "accumulation")} == {
        "tensor": 1,
        "zero": 2,
        "offload": True,
        "recompute": False,
        "batch": 4,
        "accumulation": 2,
    }
    assert asked["memory"]["host"] > 0


@pytest.mark.parametrize(("model", "device"), [("cetd-5b", "p40"), ("lm-70b", "h100")])
def test_large_models_are_planned_in_seconds(model: str, device: str) -> None:
    command = [sys.executable, "-m", "jobs.plan", "--model", model, "--phase", "1", "--gpus", "8", "--device", device]
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--model", "cetd-2b"], "error: model: preset 'cetd-2b' is not under configs/model/; known: cetd-1b, "),
        (["--phase", "5"], "error: argument --phase: invalid choice: 5"),
        (["--gpus", "0"], "error: argument --gpus: '0' is no whole number above 0"),
        (["--gpu-memory", "24"], "error: gpu-memory='24': give a number above 0 and its unit, as in 24GB"),
        (["--gpu-memory", "0GB"], "error: gpu-memory='0GB': "),
        (["--device", "p41"], "error: device='p41' is not known; known: p40, "),
        (["--precision", "bf16"], "error: precision=bf16: a device of compute capability 6.1 has none"),
        (["--tensor", "3"], "error: tensor=3 does not divide gpus=2: use 1 or 2"),
        (["--gpus", "27", "--tensor", "27"], "error: parallel.tensor=27: n_heads=26 leaves a process without any"),
        (["--tensor", "1", "--batch", "3"], "error: batch=3 does not divide among 2 replicas; use 4"),
        (["--offload"], "error: offload: moves what ZeRO spreads; use it with zero=1 or zero=2"),
        (["--utilisation", "2"], "error: utilisation=2.0: give a share above 0 and at most 1"),
        (["--model", "lm-70b"], "error: data.max_input_tokens + data.max_output_tokens = 6144 exceeds"),
        (["--nodes", "2"], "error: unrecognized arguments: --nodes 2"),
    ],
)
def test_what_is_wrong_is_one_line(changes: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*P40S, *changes])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith(message)
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_sizes_are_decimal_or_binary_as_their_unit_says() -> None:
    assert (size("24GB"), size("22.5 GiB"), size("512MiB")) == (24 * 10**9, 45 * 2**29, 2**29)


def test_with_memory_in_plenty_nothing_is_given_up() -> None:
    assert cheapest(WORK).way == Way(batch=8)


def test_means_are_taken_in_order_of_cost_as_memory_shrinks() -> None:
    ways = [cheapest(replace(WORK, gpu_memory=tenths * 10**8)).way for tenths in range(150, 15, -1)]
    keys = [(way.offload, way.zero, way.tensor, way.recompute, -way.batch) for way in ways]
    assert keys == sorted(keys)
    assert ways[0] == Way(batch=8)
    assert any(way.batch < 8 and way.tensor == 1 and not way.recompute for way in ways)
    assert any(way.tensor == 2 and not way.zero for way in ways)
    assert ways[-1].offload


def test_the_cheapest_keeps_the_step_and_fits() -> None:
    plan = cheapest(replace(WORK, gpu_memory=8 * 10**9))
    assert plan.fits
    assert plan.way.batch * plan.accumulation == WORK.step_size


def test_room_is_left_for_the_context_and_fragments() -> None:
    plan = planned(WORK, Way(batch=8))
    assert planned(replace(WORK, gpu_memory=plan.memory.total), plan.way).missing > 500_000_000


def test_operations_are_six_per_weight_and_token() -> None:
    model = DecoderConfig(vocab_size=8, d_model=512, d_ff=2048, d_head=64, n_heads=8, n_kv_heads=8, n_layers=6)
    weights = 6 * (4 * 512**2 + 3 * 512 * 2048)
    assert operations_per_example(model, 4, 5) == pytest.approx(6 * weights * 8, rel=0.01)
    assert operations_per_example(model, 4, 5, recompute=True) == pytest.approx(8 * weights * 8, rel=0.01)


def test_encoder_and_decoder_read_their_own_tokens() -> None:
    model = MODEL.model_copy(update={"vocab_size": 8})
    encoder, decoder = (3 * (k * 1024**2 + 2 * 1024 * 4096) for k in (4, 8))
    few, many = operations_per_example(model, 16, 1), operations_per_example(model, 17, 1)
    crossing = 3 * 2 * 1024**2
    assert many - few == pytest.approx(6 * (encoder + crossing), rel=0.02)
    one_more = operations_per_example(model, 1, 17) - operations_per_example(model, 1, 16)
    assert one_more == pytest.approx(6 * (decoder - crossing), rel=0.02)


def test_time_is_shared_among_devices_at_their_rate() -> None:
    assert seconds(12e12, DEVICES["p40"], "fp32", gpus=2, utilisation=0.5) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="precision=bf16: this device has none; use fp32 or fp16"):
        seconds(1, DEVICES["p40"], "bf16", gpus=1, utilisation=0.5)
