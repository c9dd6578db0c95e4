"""The learner: Ray Train workers that follow a log of messages, and the actor that holds the log.

The loop appends messages (update, save, publish, stop), each with its sequence number; every worker applies them in
order and rank 0 answers. A worker group that Ray Train restarts goes back to the last checkpoint and follows the log
from the sequence number found there: the same updates again, so the same weights. Messages before the last
checkpoint are forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.exceptions import RayError
from ray.train.torch import TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError

from actors.busy import Busy, busy
from cetd import seeds
from cetd.config import FeedbackConfig, LearnerConfig
from cetd.errors import InfrastructureError
from cetd.feedback.batch import Batch
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training import checkpoint
from cetd.training.learner import Learner


@dataclass(frozen=True)
class Update:
    """Train on a batch: a new policy version."""

    batch: Batch


@dataclass(frozen=True)
class Save:
    """Write a checkpoint that carries the loop's cursor."""

    cursor: dict[str, Any]


@dataclass(frozen=True)
class Publish:
    """Hand out the weights as they are."""


@dataclass(frozen=True)
class Stop:
    """No more messages."""


Message = Update | Save | Publish | Stop

# Workers that do not stop within this many seconds end with the job's process.
END_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What came of a message; ``failure`` is a line for the user where it could not be carried out."""

    version: int
    metrics: dict[str, float]
    interval: Busy
    process_id: int
    failure: str = ""


@ray.remote(num_cpus=0)
class MessageLog:
    """Holds messages and answers by sequence number. Posting or answering twice changes nothing."""

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}
        self._answers: dict[int, Answer] = {}
        self._weights: tuple[int, dict[str, Any]] | None = None
        self._posted: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._answered: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def post(self, sequence: int, message: Message) -> None:
        self._messages[sequence] = message
        self._posted[sequence].set()

    async def take(self, sequence: int) -> Message:
        await self._posted[sequence].wait()
        return self._messages[sequence]

    async def answer(self, sequence: int, answer: Answer, weights: dict[str, Any] | None) -> None:
        if weights is not None:
            self._weights = answer.version, weights
        self._answers[sequence] = answer
        self._answered[sequence].set()

    async def result(self, sequence: int) -> Answer:
        await self._answered[sequence].wait()
        return self._answers[sequence]

    async def weights(self) -> dict[str, Any]:
        """The newest version's tensors; the caller owns what it gets, whatever becomes of the worker."""
        assert self._weights is not None
        return self._weights[1]

    async def forget(self, before: int) -> None:
        for sequence in [s for s in self._messages if s < before]:
            del self._messages[sequence], self._posted[sequence]
            self._answers.pop(sequence, None)
            self._answered.pop(sequence, None)


@dataclass(frozen=True)
class LearnerSetup:
    """What a worker needs to begin or to go on."""

    config: LearnerConfig
    feedback: FeedbackConfig
    run_seed: int
    start: Path  # policy in Hugging Face layout
    checkpoints: Path
    total_steps: int
    keep: int
    first_sequence: int


def follow(setup: dict[str, Any]) -> None:
    """Ray Train's per-worker function: apply the log until ``Stop``."""
    given: LearnerSetup = setup["setup"]
    log = setup["log"]
    torch.set_num_threads(max(1, int(given.config.cpus)))
    rank = ray.train.get_context().get_world_rank()
    learner, state = _learner(given, rank)
    sequence, version = state.sequence, state.version
    while not isinstance(message := ray.get(log.take.remote(sequence)), Stop):
        sequence += 1
        metrics: dict[str, float] = {}
        failure = ""
        with busy("update", "learner") as interval:
            if isinstance(message, Update):
                seed = seeds.derive(given.run_seed, "update", message.batch.iteration, rank)
                metrics = learner.update(message.batch, seed)
                version += 1
            elif isinstance(message, Save):
                saved = checkpoint.LearnerState(sequence, version, learner.steps, message.cursor)
                failure = _save(given, learner, saved, rank)
        if rank == 0:
            weights = None if isinstance(message, Save) else _tensors(learner.model)
            answer = Answer(version, metrics, interval, os.getpid(), failure)
            ray.get(log.answer.remote(sequence - 1, answer, weights))


def _learner(given: LearnerSetup, rank: int) -> tuple[Learner, checkpoint.LearnerState]:
    newest = checkpoint.latest(given.checkpoints)
    model = huggingface.load(newest or given.start)
    assert isinstance(model, EncoderDecoder)
    reference = None
    if given.feedback.kl_weight:
        reference = huggingface.load(given.start)
        assert isinstance(reference, EncoderDecoder)
        reference.eval().requires_grad_(False)
    learner = Learner(model, reference, given.config, given.feedback, given.total_steps, rank)
    if newest is None:
        return learner, checkpoint.LearnerState(given.first_sequence, 0, 0, {})
    state = checkpoint.read_state(newest)
    checkpoint.load_optimizer(newest, model, learner.optimizer)
    learner.steps = state.optimizer_steps
    return learner, state


def _save(given: LearnerSetup, learner: Learner, state: checkpoint.LearnerState, rank: int) -> str:
    written, failure = None, ""
    if rank == 0:
        try:
            folder = checkpoint.save(
                given.checkpoints, learner.model, learner.optimizer, state, given.keep, given.start
            )
            written = ray.train.Checkpoint.from_directory(str(folder))
        except OSError as error:
            failure = f"checkpoint of version {state.version} not written: {error.strerror or error}"
    ray.train.report(
        {"version": state.version},
        checkpoint=written,
        checkpoint_upload_mode=ray.train.CheckpointUploadMode.NO_UPLOAD,
    )
    return failure


def _tensors(model: EncoderDecoder) -> dict[str, Any]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}


class LearnerClient:
    """The loop's end of the log: posts messages, awaits answers, and runs the trainer beside it."""

    def __init__(self, setup: LearnerSetup, storage: Path) -> None:
        self._log: Any = MessageLog.remote()
        self._sequence = setup.first_sequence
        self._trainer = TorchTrainer(
            follow,
            train_loop_config={"setup": setup, "log": self._log},
            scaling_config=ray.train.ScalingConfig(
                num_workers=setup.config.workers,
                use_gpu=bool(setup.config.gpus),
                resources_per_worker={"CPU": setup.config.cpus}
                | ({"GPU": setup.config.gpus} if setup.config.gpus else {}),
            ),
            run_config=ray.train.RunConfig(
                name=setup.checkpoints.name,
                storage_path=str(storage),
                failure_config=ray.train.FailureConfig(max_failures=setup.config.max_failures),
            ),
        )
        # Ray Train's own memory of an earlier attempt: here the checkpoints themselves are the record.
        (setup.checkpoints / "checkpoint_manager_snapshot.json").unlink(missing_ok=True)
        self._training: asyncio.Future | None = None
        self.process_id = 0

    async def start(self) -> Answer:
        """Start the workers; the answer carries the version they begin with."""
        loop = asyncio.get_running_loop()
        self._training = loop.create_future()
        self._thread = threading.Thread(target=self._fit, args=(loop, self._training), name="trainer", daemon=True)
        self._thread.start()
        return await self.send(Publish())

    async def send(self, message: Message) -> Answer:
        """Post a message and await its answer.

        Raises:
            InfrastructureError: the workers failed more often than ``max_failures``.
        """
        assert self._training is not None
        sequence, self._sequence = self._sequence, self._sequence + 1
        await self._log.post.remote(sequence, message)
        answer = asyncio.ensure_future(self._log.result.remote(sequence))
        await asyncio.wait([answer, self._training], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await self._training
            raise InfrastructureError("learner: it ended before it was told to; run the same command again: it resumes")
        result = answer.result()
        self.process_id = result.process_id
        if isinstance(message, Save) and not result.failure:
            await self._log.forget.remote(sequence + 1)
        return result

    def weights(self) -> ray.ObjectRef:
        """Where the newest version's tensors will be."""
        return self._log.weights.remote()

    async def close(self) -> None:
        """Tell the workers to stop, and wait until the trainer has returned.

        Its thread must not outlive Ray: a call into Ray after its shutdown ends the whole process without a word.
        """
        if self._training is not None and not self._training.done():
            with contextlib.suppress(RayError):  # a lost log ends the workers as well
                await self._log.post.remote(self._sequence, Stop())
            await asyncio.wait([self._training], timeout=END_S)
            self._thread.join(1.0)  # it has nothing left to do, unless the wait was in vain
        ray.kill(self._log)

    def _fit(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future) -> None:
        failure: Exception | None = None
        try:
            self._trainer.fit()
        except (TrainingFailedError, RayError) as error:
            last = str(error).strip().splitlines()[-1]
            failure = InfrastructureError(f"learner: {last}; run the same command again: it resumes")
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, ended, failure)


def _settle(ended: asyncio.Future, failure: Exception | None) -> None:
    if ended.done():
        return
    if failure:
        ended.set_exception(failure)
    else:
        ended.set_result(None)
