"""Servers as processes: ready when they say so, and gone with all that they have started."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

import psutil
import pytest

from cetd.errors import InfrastructureError
from cetd.evaluation.server_process import Server, free_port, running, tree

# A server that has a child which knows nothing of it, and says no to termination where it is told to.
PROGRAM = """
import http.server, signal, subprocess, sys
subprocess.Popen(["sleep", "1000"], start_new_session=True)
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def server(folder: Path, program: str, manner: str = "mild") -> Server:
    port = free_port()
    return Server(
        name="small",
        command=(sys.executable, "-c", program, str(port), manner),
        url=f"http://127.0.0.1:{port}",
        ready="/",
        log=folder / "logs" / "small.log",
        folder=folder,
    )


def below() -> set[psutil.Process]:
    """What runs below this process: other tests may have left processes of their own there."""
    return {process for process in tree(psutil.Process())[1:] if runs(process)}


def runs(process: psutil.Process) -> bool:
    """Whether it does; one that nobody has buried yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("manner", ["mild", "stubborn"])
def test_a_server_and_all_below_it_are_gone_at_the_end(
    tmp_path: Path, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cetd.evaluation.server_process._GRACE_S", 0.5)
    before = below()
    with running(server(tmp_path, PROGRAM, manner)) as usage:
        started = below() - before
        assert [process for process in started if "sleep" in process.name()]
        assert min(usage.peak, usage.now()) > 2**20
        spent = usage.processor_s()
        assert set(spent) == {Path(sys.executable).name, "sleep"}
        assert spent[Path(sys.executable).name] > 0
    assert not any(map(runs, started))


def test_it_is_gone_as_well_where_the_body_fails(tmp_path: Path) -> None:
    before = below()
    started: set[psutil.Process] = set()

    def fail() -> None:
        with running(server(tmp_path, PROGRAM)):
            started.update(below() - before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert started
    assert not any(map(runs, started))


def test_a_server_that_ends_before_it_is_ready_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(InfrastructureError, match=r"small has ended with status 1: ValueError: no model; see .*small"),
        running(server(tmp_path, "raise ValueError('no model')")),
    ):
        pass


def test_a_server_that_is_never_ready_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cetd.evaluation.server_process._PATIENCE_S", 0.3)
    before = below()
    with (
        pytest.raises(InfrastructureError, match="small is not ready after 0 s: see"),
        running(server(tmp_path, "import time; time.sleep(1000)")),
    ):
        pass
    assert below() <= before


def test_a_free_port_is_none_that_the_system_hands_out() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with contextlib.closing(socket.socket()) as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        assert port < lowest
        assert port not in {free_port() for _ in range(50)}
