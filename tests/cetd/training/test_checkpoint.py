"""Checkpoints are whole or absent, whatever kills their writer."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import torch

from cetd.config import EncoderDecoderConfig
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training import checkpoint
from cetd.training.checkpoint import LearnerState

TINY = EncoderDecoderConfig(vocab_size=30, d_model=32, d_ff=48, d_kv=8, encoder_layers=1, decoder_layers=1)


def made() -> tuple[EncoderDecoder, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = EncoderDecoder(TINY)
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return model, optimizer


def state(version: int) -> LearnerState:
    return LearnerState(2 * version, version, version, {"ended": version})


def test_a_writer_killed_at_any_moment_leaves_whole_checkpoints(tmp_path: Path) -> None:
    model, optimizer = made()
    rng, seen = random.Random(3), 0
    begun = time.monotonic()
    checkpoint.save(tmp_path / "timed", model, optimizer, state(1), keep=1)
    save_s = time.monotonic() - begun
    for _ in range(25):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:  # writes until it is killed, as a learner that saves after every update
            torch.set_num_threads(1)  # a forked process has none of its parent's threads
            for version in range(seen + 1, seen + 1000):
                checkpoint.save(tmp_path, model, optimizer, state(version), keep=1)
                os.write(tell, b".")
            os._exit(0)
        for _ in range(rng.randint(0, 2)):
            os.read(told, 1)
        time.sleep(rng.uniform(0, 1.5 * save_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)
        newest = checkpoint.latest(tmp_path)
        if newest is None:
            assert seen == 0
            continue
        found = checkpoint.read_state(newest)
        assert found == state(found.version)
        assert found.version >= seen, "an older checkpoint came back"
        seen = found.version
        again = huggingface.load(newest)
        assert isinstance(again, EncoderDecoder)
        assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))
        fresh = torch.optim.AdamW(again.parameters())
        checkpoint.load_optimizer(newest, again, fresh)
        assert len(fresh.state) == len(list(again.parameters()))
    assert seen > 10, "the kills came too early to tell anything"


def test_saving_a_version_again_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    model, optimizer = made()
    first = checkpoint.save(tmp_path, model, optimizer, state(3), keep=2)
    inode = first.stat().st_ino
    assert checkpoint.save(tmp_path, model, optimizer, state(3), keep=2) == first
    assert first.stat().st_ino == inode


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    model, optimizer = made()
    for version in (1, 2, 10):
        checkpoint.save(tmp_path, model, optimizer, state(version), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000002", "step-000010"]


def test_a_checkpoint_that_was_being_written_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".writing-step-000005").mkdir()
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.latest(tmp_path / "nowhere") is None
