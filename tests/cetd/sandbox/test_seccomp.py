"""The filter, run by a small interpreter of classic BPF: which calls it denies on which architecture."""

from __future__ import annotations

import errno
import struct

import pytest

from cetd.sandbox.seccomp import DENIED, DENIED_IN_COMPANY, assemble

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _judge(machine: str, number: int, *arguments: int, arch: int | None = None, alone: bool = True) -> int:
    """What the filter returns for a call; follows seccomp(2) and the BPF subset that the filter uses."""
    code = assemble(machine, alone=alone)
    program = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    six = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=IIQ6Q", number, AUDIT[machine] if arch is None else arch, 0, *six)
    at, accumulator = 0, 0
    while True:
        operation, if_true, if_false, value = program[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x54:
                accumulator &= value
            case 0x06:
                return value
            case _:
                raise AssertionError(f"unknown operation {operation:#x}")


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_every_listed_call_is_denied_and_ordinary_ones_are_not(machine: str, column: int) -> None:
    for name, numbers in DENIED.items():
        if (number := numbers[column]) is not None:
            assert _judge(machine, number) == EPERM, name
    ordinary = {"x86_64": (0, 1, 9, 39, 60, 231, 257), "aarch64": (56, 63, 64, 93, 94, 172, 222)}
    assert {_judge(machine, number) for number in ordinary[machine]} == {ALLOW}


@pytest.mark.parametrize(
    ("machine", "column", "by_arguments"),
    [("x86_64", 0, (41, 53, 160, 16, 56)), ("aarch64", 1, (198, 199, 164, 29, 220))],
)
def test_no_call_is_denied_that_is_not_listed(machine: str, column: int, by_arguments: tuple[int, ...]) -> None:
    for alone, calls, few in ((True, DENIED, by_arguments[:3]), (False, DENIED | DENIED_IN_COMPANY, by_arguments)):
        denied = {number for number in range(462) if _judge(machine, number, alone=alone) == EPERM}
        assert denied == {numbers[column] for numbers in calls.values()} - {None} | {*few}


@pytest.mark.parametrize(("machine", "number", "index"), [("x86_64", 133, 1), ("x86_64", 259, 2), ("aarch64", 33, 2)])
def test_files_and_pipes_can_be_made_and_devices_cannot(machine: str, number: int, index: int) -> None:
    for kind, answer in ((0o100644, ALLOW), (0o10600, ALLOW), (0o140600, ALLOW), (0o20666, EPERM), (0o60666, EPERM)):
        assert _judge(machine, number, *[0] * index, kind) == answer


@pytest.mark.parametrize(("machine", "clone", "socket"), [("x86_64", 56, 41), ("aarch64", 220, 198)])
def test_arguments_decide_for_clone_and_sockets(machine: str, clone: int, socket: int) -> None:
    threads = 0x003D0F00
    assert _judge(machine, clone, threads) == ALLOW
    for namespace in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert _judge(machine, clone, threads | namespace) == EPERM
    assert _judge(machine, 435) == ENOSYS
    for call in (socket, socket + 1 if machine == "aarch64" else 53):
        assert _judge(machine, call, 1) == ALLOW
        assert {_judge(machine, call, family) for family in (0, 2, 10, 16, 17, 38, 40)} == {EPERM}


@pytest.mark.parametrize(("machine", "set_limit", "change_limit"), [("x86_64", 160, 302), ("aarch64", 164, 261)])
def test_the_limits_of_cpu_and_core_dumps_cannot_be_changed_but_others_can(
    machine: str, set_limit: int, change_limit: int
) -> None:
    address, high = 0x7F00_1234_0000, 0x7F00_0000_0000
    assert {_judge(machine, set_limit, which, address) for which in (0, 4)} == {EPERM}
    assert _judge(machine, set_limit, 3, address) == ALLOW
    for new in (address, high, 0x1000):
        assert {_judge(machine, change_limit, 0, which, new) for which in (0, 4)} == {EPERM}
        assert _judge(machine, change_limit, 0, 3, new) == ALLOW
    assert {_judge(machine, change_limit, 0, which, 0, address) for which in (0, 4)} == {ALLOW}


@pytest.mark.parametrize(("machine", "fcntl"), [("x86_64", 72), ("aarch64", 25)])
def test_files_can_be_controlled_but_not_watched(machine: str, fcntl: int) -> None:
    assert _judge(machine, fcntl, 3, 1026) == EPERM
    assert {_judge(machine, fcntl, 3, command) for command in (0, 1, 2, 3, 4, 6, 1030)} == {ALLOW}
    assert _judge(machine, fcntl, 3, 1024) == EPERM


@pytest.mark.parametrize(("machine", "prctl"), [("x86_64", 157), ("aarch64", 167)])
def test_no_further_filter_can_be_added(machine: str, prctl: int) -> None:
    assert _judge(machine, prctl, 22, 2) == EPERM
    assert _judge(machine, prctl, 38, 1) == ALLOW


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_calls_newer_than_the_list_are_unknown(machine: str) -> None:
    assert {_judge(machine, number) for number in (462, 467, 1 << 20)} == {ENOSYS}
    assert _judge(machine, 461) == ALLOW


def test_other_numberings_are_denied() -> None:
    assert _judge("x86_64", 0x40000000 | 101) == EPERM
    assert _judge("x86_64", 39, arch=0x40000003) == KILL


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="riscv64"):
        assemble("riscv64")


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_in_company_all_that_reaches_others_is_denied_as_well(machine: str, column: int) -> None:
    for name, numbers in (DENIED | DENIED_IN_COMPANY).items():
        if (number := numbers[column]) is not None:
            assert _judge(machine, number, 1, 1, alone=False) == EPERM, name
    ordinary = {"x86_64": (0, 1, 9, 39, 60, 231, 257), "aarch64": (56, 63, 64, 93, 94, 172, 222)}
    assert {_judge(machine, number, alone=False) for number in ordinary[machine]} == {ALLOW}


@pytest.mark.parametrize(
    ("machine", "clone", "pair", "prlimit", "prctl", "fcntl", "ioctl"),
    [("x86_64", 56, 53, 302, 157, 72, 16), ("aarch64", 220, 199, 261, 167, 25, 29)],
)
def test_arguments_decide_in_company(
    machine: str, clone: int, pair: int, prlimit: int, prctl: int, fcntl: int, ioctl: int
) -> None:
    def judge(number: int, *arguments: int) -> int:
        return _judge(machine, number, *arguments, alone=False)

    threads = 0x003D0F00
    assert judge(clone, threads) == ALLOW
    assert {judge(clone, flags) for flags in (0x11, 0x4111, threads | 0x20000, 0x01200011)} == {EPERM}
    assert {judge(pair, 1, kind) for kind in (1, 1 | 0x80000, 1 | 0x800)} == {ALLOW}
    assert {judge(pair, family, kind) for family, kind in ((1, 2), (1, 5), (2, 1), (1, 2 | 0x80000))} == {EPERM}
    assert {judge(prlimit, 0, 3, 0x1000), judge(prlimit, 0, 0, 0, 0x1000)} == {ALLOW}
    assert {judge(prlimit, pid, which, 0, 0x1000) for pid in (1, 4711) for which in (0, 3)} == {EPERM}
    assert judge(prlimit, 0, 0, 0x1000) == EPERM
    assert {judge(prctl, option) for option in (1, 22)} == {EPERM}
    assert {judge(prctl, option) for option in (2, 4, 15, 38)} == {ALLOW}
    assert {judge(fcntl, 3, command) for command in (8, 10, 15, 1024, 1026)} == {EPERM}
    assert {judge(fcntl, 3, command) for command in (0, 1, 2, 3, 4, 6, 9, 1030)} == {ALLOW}
    assert {judge(ioctl, 3, request) for request in (0x5401, 0x541B, 0x5421)} == {ALLOW}
    assert {judge(ioctl, 3, request) for request in (0x5412, 0x8901, 0x40086602)} == {EPERM}
    clock = {"x86_64": 228, "aarch64": 113}[machine]
    assert {judge(call, which) for call in (clock, clock + 1, clock + 2) for which in (0, 1, 2, 3, 7, 11)} == {ALLOW}
    assert {judge(clock, which) for which in (0xFFFFFFFA, 0x80000000, ~(4711 << 3) & 0xFFFFFFFF)} == {EPERM}
