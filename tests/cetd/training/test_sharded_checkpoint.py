"""Sharded checkpoints: whole or absent, readable at any degree, never unpickled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.huggingface import CheckpointError
from cetd.parallel.mesh import Mesh
from cetd.parallel.sharding import part_of, shard_model
from cetd.parallel.shards import Shard
from cetd.training import sharded_checkpoint
from cetd.training.checkpoint import latest
from cetd.training.sharded_checkpoint import Writer, prune, tensors_of
from tests.cetd.training.training import MODELS

ROOT = Path(__file__).parents[3]
CONFIGS = {
    "encoder-decoder": EncoderDecoderConfig(**MODELS["encoder-decoder"]),
    "decoder": DecoderConfig(**MODELS["decoder"]),
}


def made(family: str, seed: int = 0) -> tuple[EncoderDecoder | Decoder, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    config = CONFIGS[family]
    model = EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)
    return model, stepped(model)


def stepped(model: torch.nn.Module) -> torch.optim.Optimizer:
    """An optimizer whose moments differ from parameter to parameter and entry to entry."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for parameter in model.parameters():
        parameter.grad = parameter.detach().clone()
    optimizer.step()
    return optimizer


def parts(family: str, mesh: Mesh) -> tuple[EncoderDecoder | Decoder, torch.optim.Optimizer, dict[str, Shard]]:
    """What a process of ``mesh`` holds of :func:`made`."""
    whole, optimizer = made(family)
    named = dict(whole.named_parameters())
    moments = {name: dict(optimizer.state[named[name]]) for name in named}
    cut = shard_model(whole, mesh)
    held = torch.optim.AdamW(whole.parameters(), lr=1e-3)
    for name, parameter in whole.named_parameters():
        held.state[parameter] = {
            key: part_of(value, cut[name]).clone() if name in cut and value.ndim else value
            for key, value in moments[name].items()
        }
    return whole, held, cut


def write(folder: Path, family: str, degree: int, step: int = 5) -> Path:
    """A checkpoint of the same model whatever the degree."""
    writers = [Writer(folder, step, rank, degree) for rank in range(degree)]
    for rank, writer in enumerate(writers):
        model, optimizer, cut = parts(family, Mesh(tensor=degree, tensor_rank=rank))
        writer.begin(tensors_of(model, optimizer.state.__getitem__), cut)
    for writer in writers:
        writer.wait()
        assert not writer.failure
    writers[0].commit({"step": step}, degree)
    return writers[0].folder


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("written", [1, 2, 3])
@pytest.mark.parametrize("read", [1, 2, 3])
def test_any_degree_reads_what_any_degree_wrote(family: str, written: int, read: int, tmp_path: Path) -> None:
    folder = write(tmp_path, family, written)
    assert sharded_checkpoint.read_state(folder)["step"] == 5
    for rank in range(read):
        mesh = Mesh(tensor=read, tensor_rank=rank)
        expected_model, expected_optimizer, cut = parts(family, mesh)
        model, _ = made(family, seed=1)
        shard_model(model, mesh)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        sharded_checkpoint.load(folder, model, cut, optimizer.state.__setitem__)
        expected = dict(tensors_of(expected_model, expected_optimizer.state.__getitem__))
        found = dict(tensors_of(model, optimizer.state.__getitem__))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_each_process_writes_its_part_only(tmp_path: Path) -> None:
    whole = sum(file.stat().st_size for file in write(tmp_path / "one", "decoder", 1).iterdir())
    sizes = [file.stat().st_size for file in write(tmp_path / "three", "decoder", 3).glob("part-*")]
    assert len(sizes) == 3
    assert max(sizes) < 0.6 * whole


def test_what_is_being_written_is_no_checkpoint(tmp_path: Path) -> None:
    model, optimizer = made("decoder")
    writer = Writer(tmp_path, 7, 0, 1)
    writer.begin(tensors_of(model, optimizer.state.__getitem__), {})
    writer.wait()
    assert latest(tmp_path) is None
    writer.commit({"step": 7}, 1)
    assert latest(tmp_path) == writer.folder


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path) -> None:
    model, optimizer = made("decoder")
    before = {name: tensor.clone() for name, tensor in tensors_of(model, optimizer.state.__getitem__)}
    writer = Writer(tmp_path, 1, 0, 1)
    writer.begin(tensors_of(model, optimizer.state.__getitem__), {})
    optimizer.step()
    writer.wait()
    writer.commit({"step": 1}, 1)
    again, _ = made("decoder", seed=1)
    fresh = torch.optim.AdamW(again.parameters())
    sharded_checkpoint.load(writer.folder, again, {}, fresh.state.__setitem__)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors_of(again, fresh.state.__getitem__))


def write_to_full_disk(folder: Path) -> None:
    model, optimizer = made("encoder-decoder")
    writer = Writer(folder, 1, 0, 1)
    writer.begin(tensors_of(model, optimizer.state.__getitem__), {})
    writer.wait()
    assert "No space left" in writer.failure
    writer.abandon()
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    code = f"import {__name__} as test, pathlib, sys; test.write_to_full_disk(pathlib.Path(sys.argv[1]))"
    # A mount namespace of its own, so that nothing stays mounted whatever happens.
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    script = 'mount -t tmpfs -o size=64k tmpfs "$2" && exec "$0" -c "$1" "$2"'
    subprocess.run([*namespace, "sh", "-c", script, sys.executable, code, tmp_path], check=True, cwd=ROOT)


def test_a_file_that_was_cut_short_is_said(tmp_path: Path) -> None:
    folder = write(tmp_path, "decoder", 2)
    file = folder / "part-02-of-02.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"part-02-of-02.safetensors: damaged or cut short"):
        sharded_checkpoint.load(folder, made("decoder")[0], {})
    (folder / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"state.json: cannot be read"):
        sharded_checkpoint.read_state(folder)


def test_a_model_of_another_shape_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, "decoder", 2)
    wider = Decoder(CONFIGS["decoder"].model_copy(update={"d_ff": 31}))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"gate_proj.weight is \[29, 24\], the model's \[31, 24\]"):
        sharded_checkpoint.load(folder, wider, {})
    with pytest.raises(CheckpointError, match=r"tensor embedding.weight is missing"):
        sharded_checkpoint.load(folder, made("encoder-decoder")[0], {})


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        write(tmp_path, "decoder", 1, step)
    prune(tmp_path, 2, tmp_path / "step-000001")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000001", "step-000003", "step-000004"]
