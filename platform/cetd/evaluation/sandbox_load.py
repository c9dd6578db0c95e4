"""The sandbox under load: thousands of runs, a fifth of them hostile; afterwards nothing is left and nothing slower.

Runs come in blocks of ten: eight programs of one app, as in a feedback run, and two attacks. Every tenth of the load
has the same blocks in another order. Attacks that are ended by their time limit are a tenth of all attacks and still
take about half of their time: drawn evenly they would take most of it. All draws derive from the seed.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from cetd.config import MicroAppsConfig, SandboxConfig
from cetd.data.app import Suite
from cetd.data.microapps import MODULE, MicroApp, generate
from cetd.evaluation.attack_corpus import SHORT_S, SUITE, Attack, class_of, read_corpus
from cetd.evaluation.bench_sandbox import PYTEST_PROGRAM, PYTEST_SUITE
from cetd.sandbox.outcome import Outcome
from cetd.sandbox.sandbox import Sandbox
from cetd.seeds import derive

TENTHS = 10
# Two slots, and limits that are hit soon, but for the wall clock, which on a busy machine is not to end what is right.
_LIMITS = SandboxConfig(slots=2, timeout_s=10.0, cpu_s=2, memory_mb=128, processes=16, file_mb=4, output_kb=64)
# Of each block so many attacks; of all blocks so many of pytest suites; of all attacks so many that use up their time.
_BLOCK, _ATTACKS = 10, 2
_PYTEST_SHARE, _SLOW_SHARE = 0.2, 0.1
_APPS = 40
# Growth in KiB that is none: of 10,000 runs that each left half a KiB, it would be more.
_SLACK_KB = 4096
_SLOWER = 0.10
# In which every slot makes a judge for the next tests.
_REST_S = 0.5
_BROKEN = "def f(:\n"
# Holds its slot until the other slots are asked as well.
_WITNESS = {"witness.py": "import time\ndef wait():\n    time.sleep(0.2)\n"}
_WITNESS_TESTS = {"test_witness.py": "from witness import wait\ndef test_wait():\n    wait()\n"}


@dataclass(frozen=True)
class Job:
    """A run with a name, and the outcomes of which one must be its."""

    name: str
    program: Mapping[str, str]
    suite: Suite
    expects: tuple[str, ...]
    timeout_s: float | None = None


@dataclass(frozen=True)
class Held:
    """What a set of processes holds: resident memory of their own in KiB, open descriptors, mounts that they see."""

    processes: int
    memory_kb: int
    descriptors: int
    mounts: int


# ------------------------------------------------------------------------------------------------ the runs


def tenth(attacks: Sequence[Attack], runs: int, seed: int) -> list[list[Job]]:
    """The blocks that every tenth of a load has, of ``runs`` runs in all.

    Raises:
        ValueError: the runs cannot be divided so.
    """
    if runs < TENTHS * _BLOCK or runs % (TENTHS * _BLOCK):
        raise ValueError(f"runs={runs}: must be a multiple of {TENTHS * _BLOCK}, ten equal parts of blocks of {_BLOCK}")
    rng = Random(derive("sandbox load", seed, "mix"))
    blocks = runs // TENTHS // _BLOCK
    of_pytest = round(blocks * _PYTEST_SHARE)
    apps = generate(MicroAppsConfig(train=_APPS, heldout=1)).train
    hostile = iter(_drawn(attacks, blocks * _ATTACKS, rng))
    found = []
    for number in range(blocks):
        programs = _pytest_jobs(rng) if number < of_pytest else _script_jobs(rng.randrange(_APPS), apps, rng)
        found.append(programs + [next(hostile) for _ in range(_ATTACKS)])
    return found


def _drawn(attacks: Sequence[Attack], count: int, rng: Random) -> list[Job]:
    """Each attack once before any comes twice."""
    slow, fast = ([one for one in attacks if one.is_slow is wanted] for wanted in (True, False))
    of_slow = round(count * _SLOW_SHARE) if slow else 0
    drawn = _cycled(slow, of_slow, rng) + _cycled(fast or slow, count - of_slow, rng)
    rng.shuffle(drawn)
    return [hostile_job(attack) for attack in drawn]


def _cycled(attacks: Sequence[Attack], count: int, rng: Random) -> list[Attack]:
    drawn: list[Attack] = []
    while len(drawn) < count:
        drawn += rng.sample(attacks, len(attacks))
    return drawn[:count]


def hostile_job(attack: Attack) -> Job:
    """The run of an attack, as its header describes it."""
    name, limit = f"{attack.family}/{attack.name}", SHORT_S if attack.is_slow else None
    return Job(name, attack.program, SUITE, attack.expects, limit)


def _script_jobs(at: int, apps: Sequence[MicroApp], rng: Random) -> list[Job]:
    """Programs of one micro-app: its reference, those of others, and one that is no Python."""
    texts = [apps[at].source_text, *(apps[rng.randrange(_APPS)].source_text for _ in range(_BLOCK - _ATTACKS - 2))]
    tests = next(iter(apps[at].tests.values()))
    ends = [*(_passes(text, tests) for text in texts), "crashed"]
    return [
        Job(f"script/{at}-{number}", {f"{MODULE}.py": text}, apps[at].suite, (end,))
        for number, (text, end) in enumerate(zip([*texts, _BROKEN], ends, strict=True))
    ]


def _pytest_jobs(rng: Random) -> list[Job]:
    suite = Suite({"test_all.py": PYTEST_SUITE}, "pytest", modules=(f"{MODULE}.py",))
    right = [rng.random() < 0.5 for _ in range(_BLOCK - _ATTACKS - 1)]
    texts = [PYTEST_PROGRAM.format(end=-1 if one else 0) for one in right]
    ends = [*(f"scored {6 if one else 5}/6" for one in right), "crashed"]
    return [
        Job(f"pytest/{number}", {f"{MODULE}.py": text}, suite, (end,))
        for number, (text, end) in enumerate(zip([*texts, _BROKEN], ends, strict=True))
    ]


def _passes(program: str, tests: str) -> str:
    """What the program comes to, by executing it here: our own rendering, never an LLM's text."""
    namespace: dict[str, Any] = {}
    exec(program, namespace)
    exec(tests.replace(f"from {MODULE} import f", ""), namespace)
    functions = [value for name, value in namespace.items() if name.startswith("test_")]
    return f"scored {sum(_returns(function) for function in functions)}/{len(functions)}"


def _returns(function: Callable[[], None]) -> bool:
    try:
        function()
    except Exception:  # noqa: BLE001 - whatever a test raises, it has not passed
        return False
    return True


# ------------------------------------------------------------------------------------------------ the load


def load(attacks: Path, runs: int, seed: int = 0, on_run: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Run the load on two slots, after every attack was run once; ``on_run`` is called after each run of the load.

    Returns:
        ``unexpected`` (name, expected and actual outcome of each run that came to something else), ``runs_per_s`` of
        each tenth, ``held`` before and after by this process and by the sandbox's, ``complaints`` (one line for each
        condition that does not hold), ``seconds`` and the machine's ``load`` before and after.

    Raises:
        ValueError: the corpus or the number of runs is not as it has to be.
    """
    corpus = read_corpus(attacks)
    blocks = tenth(corpus, runs, seed)
    unexpected: list[dict[str, Any]] = []
    begun, busy = time.monotonic(), [os.getloadavg()[0]]
    with Sandbox(_LIMITS) as sandbox, ThreadPoolExecutor(sandbox.slots) as pool:

        def judge(job: Job) -> None:
            outcome = sandbox.run(job.program, job.suite, job.timeout_s)
            if class_of(outcome) not in job.expects:
                unexpected.append({"name": job.name, "expects": job.expects, "came_to": _said(outcome)})

        def run(job: Job) -> None:
            judge(job)
            on_run()

        list(pool.map(judge, map(hostile_job, corpus)))  # what is loaded once is loaded
        server, before = sandbox.server_pid, _held_by_both(sandbox, pool)
        speeds = [_speed(list(_ordered(blocks, seed, number)), run, pool) for number in range(TENTHS)]
        after = _held_by_both(sandbox, pool)
        kept = sandbox.server_pid == server
    busy.append(os.getloadavg()[0])
    return {
        "runs": runs,
        "attacks": len(corpus),
        "seconds": time.monotonic() - begun,
        "load": busy,
        "unexpected": unexpected,
        "runs_per_s": speeds,
        "held": {who: {"before": asdict(before[who]), "after": asdict(after[who])} for who in before},
        "complaints": complaints(unexpected, speeds, before, after, kept),
    }


def complaints(
    unexpected: Sequence[Any], speeds: Sequence[float], before: dict[str, Held], after: dict[str, Held], kept: bool
) -> list[str]:
    """One line for each condition of a load that does not hold; ``kept``: the same fork server served all of it."""
    found = [f"{len(unexpected)} runs came to something else than they had to"] if unexpected else []
    if not kept:
        found.append("the fork server was lost")
    for who, was in before.items():
        now = after[who]
        for name in ("processes", "descriptors", "mounts"):
            if getattr(now, name) != getattr(was, name):
                found.append(f"{who}: {getattr(was, name)} {name} before and {getattr(now, name)} after")
        if now.memory_kb > was.memory_kb + _SLACK_KB:
            found.append(f"{who}: {was.memory_kb} KiB of memory before and {now.memory_kb} KiB after")
    if speeds[-1] < speeds[0] * (1 - _SLOWER):
        found.append(f"{speeds[0]:.1f} runs/s in the first tenth and {speeds[-1]:.1f} in the last")
    return found


def _ordered(blocks: Sequence[Sequence[Job]], seed: int, number: int) -> Iterator[Job]:
    rng = Random(derive("sandbox load", seed, "order", number))
    for block in rng.sample(blocks, len(blocks)):
        yield from rng.sample(block, len(block))


def _speed(jobs: Sequence[Job], run: Callable[[Job], None], pool: ThreadPoolExecutor) -> float:
    begun = time.perf_counter()
    list(pool.map(run, jobs))
    return len(jobs) / (time.perf_counter() - begun)


def _said(outcome: Outcome) -> str:
    return f"{class_of(outcome)} {getattr(outcome, 'reason', '')}".strip()


# ------------------------------------------------------------------------------------------- what is held


def _held_by_both(sandbox: Sandbox, pool: ThreadPoolExecutor) -> dict[str, Held]:
    """What this process and the sandbox's processes hold, after every slot has run the same."""
    witnesses = [pool.submit(sandbox.run, _WITNESS, _WITNESS_TESTS) for _ in range(sandbox.slots)]
    for witness in witnesses:
        witness.result()
    time.sleep(_REST_S)
    gc.collect()
    server = sandbox.server_pid
    inside = {server, *descendants(server)} if server else set()
    ours = {os.getpid(), *descendants(os.getpid())} - inside
    return {"this process": _held(ours), "sandbox": _held(inside)}


def _held(pids: Iterable[int]) -> Held:
    folders = [Path("/proc") / str(pid) for pid in pids]
    return Held(
        len(folders),
        sum(_own_memory_kb(folder) for folder in folders),
        sum(len(os.listdir(folder / "fd")) for folder in folders),
        sum(len((folder / "mountinfo").read_text().splitlines()) for folder in folders),
    )


def _own_memory_kb(folder: Path) -> int:
    lines = (folder / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def descendants(pid: int) -> set[int]:
    """Every process below ``pid``."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):  # ended while we looked
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, pending = set(), [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending += below
    return found
