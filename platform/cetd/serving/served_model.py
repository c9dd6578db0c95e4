"""A version of CET-D, loaded and answering."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import torch

from cetd.config import SamplingConfig
from cetd.config.serve import BatchingConfig, ServedModelConfig
from cetd.data.tokenizer import EOS_ID, PAD_ID, Tokenizer
from cetd.generation.continuous import ContinuousBatch, Request
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.seeds import derive
from cetd.serving import translating
from cetd.serving.answers import Answer, Ask, Piece, Text, TooLong
from cetd.serving.engine import Engine
from cetd.serving.source import Source
from cetd.serving.stepping import SteppingEngine
from cetd.training import precision as arithmetic

log = logging.getLogger(__name__)

_WARM_UP = "def f(x):\n    return x\n"


class ServedModel:
    """Holds the engines of one version, and its tokenizer.

    Greedy requests in fp32 on a CPU, and in int8, are CTranslate2's; all others are stepped here. Each of the two
    engines is made when it is first needed.
    """

    def __init__(self, source: Source, config: ServedModelConfig, batching: BatchingConfig) -> None:
        """Load the model and have it write a token.

        Raises:
            ValueError: the folder holds no encoder-decoder with its tokenizer, or the device has no such precision.
        """
        self.version = source.version
        self._folder, self._config, self._batching = source.folder, config, batching
        self._device = torch.device("cuda" if config.gpus else "cpu")
        capability = torch.cuda.get_device_capability() if config.gpus else None
        self.precision = "int8" if config.precision == "int8" else _precision(config.precision, capability)
        self._tokenizer = Tokenizer.load(source.folder)
        self._translating: Engine | None = None
        self._stepping: Engine | None = None
        self._making = asyncio.Lock()
        log.info("%s: %s on %s from %s", self.version, self.precision, self._device, source.folder)

    async def warm_up(self) -> None:
        """Load the engine of greedy requests, and have it write a token."""
        answer = await self.answer(Ask((_WARM_UP,), SamplingConfig(temperature=0, max_new_tokens=1)))
        assert isinstance(answer, Answer)

    async def answer(self, ask: Ask) -> Answer | TooLong:
        """The texts for all inputs of a request.

        Raises:
            EngineStoppedError: the engine broke.
        """
        requests = self._requests(ask)
        if isinstance(requests, TooLong):
            return requests
        engine = await self._engine(ask.sampling)
        return Answer(self.version, tuple(await asyncio.gather(*map(engine.write, requests))))

    async def stream(self, ask: Ask) -> AsyncIterator[Piece | Text | TooLong]:
        """The text for the one input of a request as it is written, and then whole; errors as :meth:`answer`."""
        requests = self._requests(ask)
        if isinstance(requests, TooLong):
            yield requests
            return
        engine = await self._engine(ask.sampling)
        async for event in engine.stream(requests[0]):
            yield event

    @property
    def load(self) -> tuple[int, int]:
        """Requests that wait, and rows that decode."""
        loads = [engine.load for engine in (self._translating, self._stepping) if engine]
        return sum(waiting for waiting, _ in loads), sum(rows for _, rows in loads)

    @property
    def alive(self) -> bool:
        """Whether no engine has broken."""
        return all(engine.alive for engine in (self._translating, self._stepping) if engine)

    async def close(self) -> None:
        """Answer what was asked, then free the model."""
        for engine in (self._translating, self._stepping):
            if engine:
                await asyncio.to_thread(engine.close)

    def _requests(self, ask: Ask) -> list[Request] | TooLong:
        limit = self._batching.max_input_tokens
        requests = []
        for place, tokens in enumerate(self._tokenizer.encode_batch(ask.inputs)):
            if not 0 < len(tokens) <= limit:
                return TooLong(place, len(tokens), limit)
            requests.append(Request(tuple(tokens), ask.sampling, derive("served", ask.seed, place)))
        return requests

    async def _engine(self, sampling: SamplingConfig) -> Engine:
        async with self._making:
            if translating.serves(sampling) and self._translates():
                self._translating = self._translating or await asyncio.to_thread(self._translator)
                return self._translating
            self._stepping = self._stepping or await asyncio.to_thread(self._stepper)
            return self._stepping

    def _translates(self) -> bool:
        return self.precision == "int8" or (self.precision == "fp32" and self._device.type == "cpu")

    def _translator(self) -> Engine:
        threads = max(1, round(self._config.cpus))
        return translating.TranslatingEngine(
            self._model(), self._tokenizer, self._batching, self.precision, self._device.type, threads
        )

    def _stepper(self) -> Engine:
        torch.set_num_threads(max(1, round(self._config.cpus)))
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        batch = ContinuousBatch(
            self._model().to(self._device, dtype),
            eos_id=EOS_ID,
            pad_id=PAD_ID,
            max_rows=self._batching.max_rows,
            max_batch_tokens=self._batching.max_batch_tokens,
        )
        return SteppingEngine(batch, self._tokenizer)

    def _model(self) -> EncoderDecoder:
        model = huggingface.load(self._folder)
        if not isinstance(model, EncoderDecoder):
            raise ValueError(f"{self._folder}: a decoder-only model; serve.llm:app serves those")
        return model


def _precision(wanted: str, capability: tuple[int, int] | None) -> str:
    """As for training, but for fp16, whose range T5's feed-forward exceeds."""
    if wanted == "bf16":
        return arithmetic.choose("bf16", capability)
    chosen = arithmetic.choose("auto", capability) if wanted == "auto" else wanted
    return "fp32" if chosen == "fp16" else chosen
