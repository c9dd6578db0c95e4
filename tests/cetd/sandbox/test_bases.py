"""Folders of sandboxes go when their owners go, however those end."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cetd.sandbox.bases import Base
from tests.cetd.sandbox.conftest import own_temporary_folder


def test_a_base_is_removed_with_what_is_in_it() -> None:
    with own_temporary_folder() as folder:
        base = Base(os.getuid())
        assert [entry.name for entry in Path(base.path).iterdir()] == ["rooms"]
        (Path(base.path) / "rooms" / "left").mkdir()
        base.remove()
        assert not list(folder.iterdir())


def test_what_killed_owners_have_left_goes_and_what_is_used_stays() -> None:
    with own_temporary_folder() as folder:
        reader, writer = os.pipe()
        killed = os.fork()
        if killed == 0:
            Base(os.getuid())
            os.write(writer, b"x")
            signal.pause()
        os.read(reader, 1)
        used, other = Base(os.getuid()), folder / "cetd-others"
        other.mkdir()
        assert len(list(folder.iterdir())) == 3  # one whose owner lives, whether it is known here or not
        os.kill(killed, signal.SIGKILL)
        os.waitpid(killed, 0)
        (folder / "cetd-sandbox-link").symlink_to(other)
        last = Base(os.getuid())
        assert {Path(used.path), Path(last.path), other} == set(folder.iterdir()) - {folder / "cetd-sandbox-link"}
        for base in (used, last):
            base.remove()


@pytest.mark.parametrize("moment", ["made", "opened"])
def test_a_base_that_is_taken_for_abandoned_before_it_is_locked_is_made_again(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, lock = tempfile.mkdtemp, fcntl.flock
    gone: list[str] = []

    def made(**where: Any) -> str:
        gone.append(make(**where))
        if moment == "made" and len(gone) == 1:
            os.rmdir(gone[0])
        return gone[-1]

    def locked(fd: int, how: int) -> None:
        if moment == "opened" and len(gone) == 1:
            os.rmdir(gone[0])
        lock(fd, how)

    with own_temporary_folder() as folder:
        monkeypatch.setattr(tempfile, "mkdtemp", made)
        monkeypatch.setattr(fcntl, "flock", locked)
        base = Base(os.getuid())
        assert base.path == gone[1]
        assert [str(entry) for entry in folder.iterdir()] == [base.path]
        base.remove()
        assert not list(folder.iterdir())
