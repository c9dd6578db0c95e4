"""Rooms are removed whatever was left in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.sandbox import rooms

# A folder's entries by name: folders with entries of their own, or None for a file.
TREES = st.recursive(
    st.none(), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4), max_leaves=30
)


def fill(folder: Path, tree: dict | None) -> None:
    for name, inner in (tree or {}).items():
        if inner is None:
            (folder / name).write_text("x")
            (folder / f"link-{name}").symlink_to("/etc")
        else:
            (folder / name).mkdir()
            fill(folder / name, inner)
            (folder / name).chmod(0)


@given(tree=TREES)
def test_every_tree_is_removed(tmp_path_factory: pytest.TempPathFactory, tree: dict | None) -> None:
    room = tmp_path_factory.mktemp("room")
    fill(room, tree)
    assert rooms.remove(str(room))
    assert not room.exists()


def test_no_more_is_removed_at_once_than_is_asked_for(tmp_path: Path) -> None:
    room = tmp_path / "room"
    for number in range(30):
        (room / str(number)).mkdir(parents=True)
    assert not rooms.remove(str(room), 10)
    assert 15 <= len(list(room.iterdir())) <= 21
    assert rooms.remove(str(room), 100)
    assert not room.exists()


def test_a_tree_deeper_than_any_path_is_removed_and_nothing_that_links_lead_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    mode = stat.S_IMODE(kept.stat().st_mode)
    room = tmp_path / "room"
    room.mkdir()
    os.symlink(kept, room / "link")
    here = os.open(room, os.O_DIRECTORY)
    for _ in range(1200):
        os.mkdir("deeper", dir_fd=here)
        inner = os.open("deeper", os.O_DIRECTORY, dir_fd=here)
        os.symlink(kept, "link", dir_fd=inner)
        os.close(here)
        here = inner
    os.close(here)
    rooms.remove(str(room))
    assert not room.exists()
    assert (kept / "file").read_text() == "x"
    assert stat.S_IMODE(kept.stat().st_mode) == mode
