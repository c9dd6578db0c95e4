"""Versions are whole, unchanged and numbered once; which of them is live has a history."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cetd.registry import Registry, RegistryError


def model(folder: Path, content: str = "weights") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text(json.dumps({"name": name}))
    (folder / "model.safetensors").write_bytes(content.encode())
    return folder


def index(folder: Path, shard: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"shared.weight": shard}}))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(tmp_path / "registry")
    for number in (1, 2, 3):
        made.register("cetd", model(tmp_path / f"source-{number}", f"weights {number}"), {"run": f"runs/{number}"})
    return made


def test_a_version_is_a_copy_with_its_lineage(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "source-2" / "model.safetensors").write_bytes(b"trained on")
    second = registry.version("cetd", 2)
    assert second.label == "cetd:2"
    assert second.lineage == {"run": "runs/2"}
    assert (registry.verify(second) / "model.safetensors").read_bytes() == b"weights 2"
    assert [version.number for version in registry.versions("cetd")] == [1, 2, 3]
    assert registry.models() == ["cetd"]


def test_a_version_is_found_by_its_files(registry: Registry, tmp_path: Path) -> None:
    found = registry.holding("cetd", tmp_path / "source-2")
    assert found
    assert found.number == 2
    (tmp_path / "source-2" / "model.safetensors").write_bytes(b"trained on")
    assert registry.holding("cetd", tmp_path / "source-2") is None


def test_what_else_stands_in_a_folder_is_left_there(registry: Registry, tmp_path: Path) -> None:
    source = model(tmp_path / "checkpoint", "more")
    (source / "optimizer").mkdir()
    for name in ("notes.md", "optimizer.safetensors", "state.json"):
        (source / name).write_text("of the checkpoint")
    version = registry.register("cetd", source, {})
    assert set(version.files) == {"config.json", "tokenizer.json", "model.safetensors"}
    registry.verify(version)


@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_other_byte_is_refused(registry: Registry, data: st.DataObject) -> None:
    version = registry.version("cetd", 1)
    name = data.draw(st.sampled_from(sorted(version.files)))
    path = version.folder / name
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    path.chmod(0o644)
    path.write_bytes(before[:place] + bytes([before[place] ^ data.draw(st.integers(1, 255))]) + before[place + 1 :])
    try:
        with pytest.raises(RegistryError, match=f"cetd:1: .*{name} differs"):
            registry.verify(version)
        with pytest.raises(RegistryError, match="not served"):
            registry.promote("cetd", 1)
    finally:
        path.write_bytes(before)
    registry.verify(version)


def test_missing_and_further_files_are_refused_by_name(registry: Registry) -> None:
    version = registry.version("cetd", 1)
    version.folder.chmod(0o755)
    (version.folder / "extra.py").write_text("")
    with pytest.raises(RegistryError, match=r"extra\.py is not of this version"):
        registry.verify(version)
    (version.folder / "extra.py").unlink()
    (version.folder / "extra").symlink_to("/etc")
    with pytest.raises(RegistryError, match="extra is not of this version"):
        registry.verify(version)
    (version.folder / "extra").unlink()
    (version.folder / "tokenizer.json").unlink()
    with pytest.raises(RegistryError, match=r"tokenizer\.json is missing"):
        registry.verify(version)


def test_the_live_version_goes_forth_and_back(registry: Registry) -> None:
    assert registry.live("cetd") is None
    for number in (1, 2, 2, 3):
        registry.promote("cetd", number)
    assert [registry.rollback("cetd").number for _ in range(2)] == [2, 1]
    live = registry.live("cetd")
    assert live is not None
    assert live.number == 1
    with pytest.raises(RegistryError, match="no version was live before"):
        registry.rollback("cetd")
    registry.promote("cetd", 3)
    assert registry.rollback("cetd").number == 1
    actions = [(event["action"], event["number"]) for event in registry.history("cetd")]
    assert actions[-2:] == [("promote", 3), ("rollback", 1)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"x"), "a pickle executes what it holds"),
        (lambda folder: (folder / "optimizer.pt").write_bytes(b"x"), "a pickle executes what it holds"),
        (lambda folder: (folder / "tokenizer.json").unlink(), r"tokenizer\.json is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"model\.safetensors is missing"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "optimizer.safetensors"), "is missing"),
        (lambda folder: index(folder, "model-1.safetensors"), r"model-1\.safetensors is missing"),
        (lambda folder: index(folder, ["no name"]), "is missing"),
        (lambda folder: (folder / "extra.json").symlink_to("/etc/hostname"), "a link out of the folder"),
    ],
    ids=["torch", "optimizer", "no tokenizer", "no weights", "another's", "shard", "index", "link"],
)
def test_what_is_no_model_is_refused(registry: Registry, tmp_path: Path, change: object, said: str) -> None:
    source = model(tmp_path / "source", "another")
    change(source)  # type: ignore[operator]
    with pytest.raises(RegistryError, match=said):
        registry.register("cetd", source, {})
    assert len(registry.versions("cetd")) == 3


def test_nothing_of_a_version_can_be_written(registry: Registry) -> None:
    folder = registry.version("cetd", 1).folder.parent
    assert not [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o222]


@pytest.mark.parametrize("name", ["../elsewhere", "/dev/null/elsewhere", "a/b", "..", "", ".hidden", "a\n"])
def test_a_name_never_leads_out_of_the_registry(registry: Registry, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    for act in (
        lambda: registry.register(name, tmp_path / "source-1", {}),
        lambda: registry.versions(name),
        lambda: registry.promote(name, 1),
        lambda: registry.rollback(name),
        lambda: registry.live(name),
    ):
        with pytest.raises(RegistryError, match="model="):
            act()
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_number_is_no_version(registry: Registry, tmp_path: Path) -> None:
    for name in ("²", "007", "0", "4.old"):
        (tmp_path / "registry" / "cetd" / name).mkdir()
    (tmp_path / "registry" / ".cache").mkdir()
    assert [version.number for version in registry.versions("cetd")] == [1, 2, 3]
    assert registry.models() == ["cetd"]


def test_a_broken_record_of_what_is_live_says_its_remedy(registry: Registry, tmp_path: Path) -> None:
    record = tmp_path / "registry" / "cetd" / "live.json"
    record.write_text('{"history": [{"number": 1}]}')
    with pytest.raises(RegistryError, match="remove it and promote"):
        registry.live("cetd")
    record.unlink()
    assert registry.promote("cetd", 1) == registry.live("cetd")


def test_the_same_files_are_one_version(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="are cetd:2 already"):
        registry.register("cetd", tmp_path / "source-2", {})


def test_unknown_versions_and_folders_are_named(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"version=9: cetd has none such .* it has 1, 2, 3"):
        registry.promote("cetd", 9)
    with pytest.raises(RegistryError, match="no such folder"):
        registry.register("cetd", tmp_path / "nowhere", {})
    assert registry.versions("nobody") == []


def test_what_a_killed_registration_left_is_no_version(registry: Registry, tmp_path: Path) -> None:
    left = model(tmp_path / "registry" / "cetd" / ".registering-1" / "model")
    left.chmod(0o555)
    assert len(registry.versions("cetd")) == 3
    assert registry.register("cetd", model(tmp_path / "source", "next"), {}).number == 4
    assert not left.exists()


def _register(root: Path, source: Path) -> None:
    Registry(root).register("cetd", source, {})


def _rollback(root: Path) -> None:
    with suppress(RegistryError):
        Registry(root).rollback("cetd")


def at_once(act: Callable[..., None], calls: list[tuple[Path, ...]]) -> list[int | None]:
    """Exit codes of processes that begin together."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=act, args=call) for call in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_registrations_at_once_have_numbers_of_their_own(tmp_path: Path) -> None:
    sources = [model(tmp_path / f"source-{number}", f"weights {number}") for number in range(6)]
    assert at_once(_register, [(tmp_path / "registry", source) for source in sources]) == [0] * 6
    registry = Registry(tmp_path / "registry")
    versions = registry.versions("cetd")
    assert [version.number for version in versions] == [1, 2, 3, 4, 5, 6]
    assert len({registry.verify(version).joinpath("model.safetensors").read_bytes() for version in versions}) == 6


def test_rollbacks_at_once_go_back_one_by_one(registry: Registry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        registry.promote("cetd", number)
    assert at_once(_rollback, [(tmp_path / "registry",)] * 6) == [0] * 6
    gone_back = [event["number"] for event in registry.history("cetd") if event["action"] == "rollback"]
    assert gone_back == [2, 1]
