"""Rollouts as Parquet: one flat row per rollout, its reconstructions and their tests nested in it.

What is read equals what was written, floats to the bit, with one exception: lone surrogates, which UTF-8 cannot
hold, come back as U+FFFD. A file is whole or absent. Rows stand in the order of their keys, each key once: two runs
that made the same rollouts leave the same rows, apart from what :func:`without_timings` removes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cetd import durable
from cetd.feedback.rollout import Reconstruction, Reward, Rollout, Sample
from cetd.sandbox.outcome import NAMES, Crashed, Outcome, OutOfMemory, Scored, TestResult, TimedOut, Unscored

TEST = pa.struct(
    [("test_id", pa.string()), ("outcome", pa.string()), ("seconds", pa.float64()), ("message", pa.string())]
)
RECONSTRUCTION = pa.struct(
    [
        ("llm", pa.string()),
        ("engine", pa.string()),
        ("revision", pa.string()),
        ("seed", pa.int64()),
        ("program", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),  # of crashed and unscored
        ("passed", pa.int32()),  # of scored, as total and tests
        ("total", pa.int32()),
        ("seconds", pa.float64()),  # null where unscored, as output
        ("generate_s", pa.float64()),
        ("cached", pa.bool_()),
        ("output", pa.string()),
        ("tests", pa.list_(TEST)),
    ]
)
SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("iteration", pa.int64()),
        ("app_id", pa.string()),
        ("sample", pa.int32()),
        ("seed", pa.int64()),
        ("policy_version", pa.int64()),
        ("policy_revision", pa.string()),
        ("status", pa.string()),
        ("requirements", pa.string()),
        ("tokens", pa.list_(pa.int32())),
        ("token_log_probs", pa.list_(pa.float64())),
        ("reward", pa.float64()),  # null below the quorum, as its parts
        ("reward_mean", pa.float64()),
        ("reward_spread", pa.float64()),
        ("leakage", pa.float64()),
        ("scored", pa.int32()),
        ("advantage", pa.float64()),
        ("reconstructions", pa.list_(RECONSTRUCTION)),
        ("timings", pa.map_(pa.string(), pa.float64())),
    ]
)


def training_path(run_folder: Path, iteration: int) -> Path:
    """Where the training rollouts of an iteration stand."""
    return run_folder / "rollouts" / f"iteration-{iteration:06d}.parquet"


def evaluation_path(run_folder: Path, iteration: int) -> Path:
    """Where the held-out evaluation after ``iteration`` policy updates stands."""
    return run_folder / "evaluations" / f"heldout-{iteration:06d}.parquet"


def write(path: Path, rollouts: Iterable[Rollout], run: str) -> None:
    """Write rollouts to one file, replacing it in one step.

    Raises:
        ValueError: two rollouts have the same key.
        OSError: the file cannot be written; what stood there before is untouched.
    """
    ordered = sorted(rollouts, key=lambda rollout: rollout.key)
    for first, second in pairwise(ordered):
        if first.key == second.key:
            raise ValueError(f"{path}: rollout (iteration, app, sample)={first.key} twice: each must be written once")
    table = pa.Table.from_pylist([_row(rollout, run) for rollout in ordered], schema=SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    durable.write_bytes(path, buffer.getvalue())


def read(path: Path) -> list[Rollout]:
    """The rollouts of a file, or of all files of a folder, in the order of their keys.

    Raises:
        ValueError: there is no such file or folder, or a file holds no rollouts.
    """
    rollouts = [_rollout(row) for table in _tables(path, None) for row in table.to_pylist(maps_as_pydicts="strict")]
    return sorted(rollouts, key=lambda rollout: rollout.key)


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a file or folder, without the cost of the rest; nested ones by Parquet's dotted path.

    Raises:
        ValueError: as :func:`read`.
    """
    tables = _tables(path, columns)
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table().select([name.split(".")[0] for name in columns])


def without_timings(rollout: Rollout) -> Rollout:
    """The rollout less what differs between equal runs: seconds, and whether a cache answered."""
    reconstructions = tuple(
        replace(one, outcome=_timeless(one.outcome), generate_s=0.0, cached=False) for one in rollout.reconstructions
    )
    return replace(rollout, reconstructions=reconstructions, timings={})


def _timeless(outcome: Outcome) -> Outcome:
    match outcome:
        case Scored():
            return replace(outcome, seconds=0.0, tests=tuple(replace(test, seconds=0.0) for test in outcome.tests))
        case Unscored():
            return outcome
        case _:
            return replace(outcome, seconds=0.0)


def _tables(path: Path, columns: Sequence[str] | None) -> list[pa.Table]:
    if not path.exists():
        raise ValueError(f"rollouts={path}: no such file or folder; name a run's rollouts/ or evaluations/")
    # Dot files are what a killed writer left; glob skips none of them by itself.
    files = sorted(file for file in path.glob("*.parquet") if file.name[0] != ".") if path.is_dir() else [path]
    return [_table(file, columns) for file in files]


def _table(file: Path, columns: Sequence[str] | None) -> pa.Table:
    try:
        with pq.ParquetFile(file) as parquet:
            return parquet.read(columns=None if columns is None else list(columns))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"rollouts={file}: not a file of rollouts ({reason}): remove it or restore it") from error


def _row(rollout: Rollout, run: str) -> dict[str, Any]:
    sample, reward = rollout.sample, rollout.reward
    scored = sum(one.pass_rate is not None for one in rollout.reconstructions)
    return {
        "run": _text(run),
        "iteration": sample.iteration,
        "app_id": _text(sample.app_id),
        "sample": sample.sample,
        "seed": sample.seed,
        "policy_version": sample.policy_version,
        "policy_revision": _text(rollout.policy_revision),
        "status": rollout.status,
        "requirements": _text(sample.requirements),
        "tokens": sample.tokens,
        "token_log_probs": sample.log_probs,
        "reward": reward.value if reward else None,
        "reward_mean": reward.mean if reward else None,
        "reward_spread": reward.spread if reward else None,
        "leakage": reward.leakage if reward else None,
        "scored": reward.scored if reward else scored,
        "advantage": rollout.advantage,
        "reconstructions": [_reconstruction_row(one) for one in rollout.reconstructions],
        "timings": sorted((_text(name), seconds) for name, seconds in rollout.timings.items()),
    }


def _reconstruction_row(one: Reconstruction) -> dict[str, Any]:
    outcome = one.outcome
    row = {
        "llm": _text(one.llm),
        "engine": _text(one.engine),
        "revision": _text(one.revision),
        "seed": one.seed,
        "program": _text(one.program),
        "outcome": NAMES[type(outcome)],
        "generate_s": one.generate_s,
        "cached": one.cached,
    }
    if isinstance(outcome, (Crashed, Unscored)):
        row["reason"] = _text(outcome.reason)
    if not isinstance(outcome, Unscored):
        row |= {"seconds": outcome.seconds, "output": _text(outcome.output)}
    if isinstance(outcome, Scored):
        row |= {"passed": outcome.passed, "total": outcome.total}
        row["tests"] = [
            {
                "test_id": _text(test.test_id),
                "outcome": test.outcome,
                "seconds": test.seconds,
                "message": _text(test.message),
            }
            for test in outcome.tests
        ]
    return row


def _text(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _rollout(row: dict[str, Any]) -> Rollout:
    reward = None
    if row["reward"] is not None:
        reward = Reward(row["reward"], row["reward_mean"], row["reward_spread"], row["leakage"], row["scored"])
    sample = Sample(
        app_id=row["app_id"],
        iteration=row["iteration"],
        sample=row["sample"],
        seed=row["seed"],
        policy_version=row["policy_version"],
        requirements=row["requirements"],
        tokens=tuple(row["tokens"]),
        log_probs=tuple(row["token_log_probs"]),
    )
    return Rollout(
        sample=sample,
        reconstructions=tuple(_reconstruction(one) for one in row["reconstructions"]),
        reward=reward,
        advantage=row["advantage"],
        timings=row["timings"],
        status=row["status"],
        policy_revision=row["policy_revision"],
    )


def _reconstruction(row: dict[str, Any]) -> Reconstruction:
    fields = ("llm", "engine", "revision", "seed", "program", "generate_s", "cached")
    return Reconstruction(outcome=_outcome(row), **{name: row[name] for name in fields})


def _outcome(row: dict[str, Any]) -> Outcome:
    match row["outcome"]:
        case "scored":
            tests = tuple(TestResult(**test) for test in row["tests"])
            return Scored(row["passed"], row["total"], row["seconds"], tests, row["output"])
        case "timed_out":
            return TimedOut(row["seconds"], row["output"])
        case "out_of_memory":
            return OutOfMemory(row["seconds"], row["output"])
        case "crashed":
            return Crashed(row["reason"], row["seconds"], row["output"])
        case "unscored":
            return Unscored(row["reason"])
        case unknown:
            raise ValueError(f"outcome={unknown!r}: known are {', '.join(NAMES.values())}")
