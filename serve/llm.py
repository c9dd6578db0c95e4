"""Decoder-only models behind the OpenAI routes: Ray's own LLM serving library on vLLM, on CPUs and on GPUs.

:func:`app` is what ``configs/serve/`` names. Each model is a deployment whose engines batch continuously; one ingress
answers ``/v1/models``, ``/v1/completions`` and ``/v1/chat/completions`` for all of them. Promises that an error is one
line, and 503 with ``Retry-After`` where another try may succeed. ``guard.py`` stands before it as before the gateway.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from ray import serve
from ray.exceptions import RayActorError
from ray.llm._internal.common.callbacks.base import CallbackBase, CallbackConfig
from ray.llm._internal.common.errors import VLLM_CLIENT_ERRORS, VLLM_FATAL_ERRORS
from ray.llm._internal.serve.core.configs.accelerators import CPUConfig
from ray.llm._internal.serve.core.configs.openai_api_models import OpenAIHTTPException, to_model_metadata
from ray.llm._internal.serve.engines.vllm.vllm_engine import VLLMEngine
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.llm import LLMConfig, build_llm_deployment
from ray.serve.llm.ingress import OpenAiIngress, make_fastapi_ingress
from ray.serve.llm.openai_api_models import ChatCompletionRequest, CompletionRequest
from starlette.exceptions import HTTPException

from cetd.config import ConfigError, MicroAppsConfig, validate
from cetd.config import LLMConfig as MadeLLMConfig
from cetd.config.serve_llm import ServedLLMConfig, ServeLLMConfig
from cetd.run_folder import runs_root
from cetd.training.making import make_llm, make_tokenizer
from serve.guard import Guard
from serve.refusals import RefusedError, invalid, other, overloaded, unavailable

# Of a model that has no template, such as those that are made here.
PLAIN_CHAT = "{{ messages | map(attribute='content') | join('\\n') }}"
# What a model that is made here on first use is taught.
TINY_APPS, TINY_VOCABULARY = MicroAppsConfig(train=300, max_steps=1), 512
KEY = "[0-9a-f]" * 12
# The library's other routes are for models of other kinds.
ROUTES = {
    "models": lambda http: http.get("/v1/models"),
    "model_data": lambda http: http.get("/v1/models/{model:path}"),
    "completions": lambda http: http.post("/v1/completions"),
    "chat": lambda http: http.post("/v1/chat/completions"),
}
# Too many requests, a replica that is being replaced, an engine that has died and will be restarted.
PASSING = (BackPressureError, DeploymentUnavailableError, RayActorError, *VLLM_FATAL_ERRORS)


class LocalFolder(CallbackBase):
    """Spares the library the search for a model to download, which costs a process with vLLM in it per node."""

    async def on_before_node_init(self) -> None:
        self.ctx.run_init_node = False


class EngineOnCPU(VLLMEngine):
    """Keeps vLLM's worker in the engine's process.

    The library has it in one of its own, which costs a third process with vLLM in it and twice the CPU time per token:
    the two wait for each other by spinning.
    """

    def _start_async_llm_engine(self, vllm_engine_args: Any, vllm_engine_config: Any, placement_group: Any) -> Any:
        vllm_engine_config.parallel_config.distributed_executor_backend = "uni"
        return super()._start_async_llm_engine(vllm_engine_args, vllm_engine_config, placement_group)


class Ingress(OpenAiIngress):
    """The library's, but that it takes what follows a colon in a model's name for an adapter, and none are here."""

    async def completions(self, body: CompletionRequest, request: Request) -> Response:
        await self._check(body.model)
        return await super().completions(body, request)

    async def chat(self, body: ChatCompletionRequest, request: Request) -> Response:
        await self._check(body.model)
        return await super().chat(body, request)

    async def _check(self, model: str | None) -> None:
        if model is not None and await self.model(model) is None:
            known = ", ".join(card.id for card in (await self.models()).data)
            raise RefusedError(HTTPStatus.NOT_FOUND, "unknown_model", f"model={model!r} is not here: {known}", "model")


def app(args: dict[str, Any]) -> serve.Application:
    """The application; ``args`` are those of :class:`ServeLLMConfig`.

    Raises:
        ConfigError: one line that names the field or the folder, and what is allowed.
    """
    config = validate(ServeLLMConfig, args)
    llms = [_llm_config(model, folder_of(model, config), config) for model in config.models]
    ingress: Any = serve.deployment(
        make_fastapi_ingress(Ingress, endpoint_map=ROUTES, app=_http(config)),
        name="Ingress",
        num_replicas=config.ingresses,
        # It waits, for the models, which bound what they take.
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=2 * sum(_places(model, config) for model in config.models),
        max_queued_requests=config.max_queued,
        backpressure_config={"retry_after_s": config.retry_after_s},
    )
    return ingress.bind(
        llm_deployments={llm.model_id: _deployment(llm) for llm in llms},
        model_cards={llm.model_id: to_model_metadata(llm.model_id, llm) for llm in llms},
    )


def folder_of(model: ServedLLMConfig, config: ServeLLMConfig) -> Path:
    """The model's folder: as given, as a feedback run has made it, or a tiny one made now.

    Raises:
        ConfigError: no decoder-only model is there.
    """
    made = runs_root(config.runs) / "models"
    if model.path:
        folder = model.path.absolute()
    elif found := sorted(made.glob(f"{model.name}-{KEY}/config.json"), key=lambda path: path.stat().st_mtime):
        folder = found[-1].parent
    else:
        tiny = MadeLLMConfig(name=f"tiny-{model.name}", model=config.tiny, pretrain=config.pretrain)
        folder = make_llm(tiny, TINY_APPS, make_tokenizer(TINY_APPS, TINY_VOCABULARY), 0, made)
    if _json(folder / "config.json").get("is_encoder_decoder", False) is not False:
        raise ConfigError(f"models: {model.name}: {folder} is an encoder-decoder; serve.cetd:app serves those")
    return folder


def chat_template(model: ServedLLMConfig, folder: Path) -> str | None:
    """What makes a prompt of a chat; None: the template that the model's tokenizer has."""
    own = "chat_template" in _json(folder / "tokenizer_config.json") or any(folder.glob("chat_template.*"))
    return model.chat_template or (None if own else PLAIN_CHAT)


def _http(config: ServeLLMConfig) -> FastAPI:
    """The ingress's HTTP side, guarded: what its routes raise becomes one line of JSON."""
    http = FastAPI(title="Decoder-only models")
    # Made in the replica, with its first request.
    runs = runs_root(config.runs)
    http.add_middleware(Guard, access=config.access, max_body_bytes=config.max_body_bytes, runs=runs)
    retry_after_s = config.retry_after_s

    async def malformed(request: Request, error: RequestValidationError) -> Response:
        refusal = invalid(error)
        # Below the field stand the members of the library's unions, which say nothing to a client.
        refusal.field = refusal.field and refusal.field.partition(".")[0]
        return refusal.response()

    async def refused(request: Request, error: RefusedError) -> Response:
        return error.response()

    async def refused_by_route(request: Request, error: HTTPException) -> Response:
        return other(error).response()

    async def refused_by_engine(request: Request, error: OpenAIHTTPException) -> Response:
        return _refusal(error.status_code, error.message).response()

    async def refused_by_its_types(request: Request, error: Exception) -> Response:
        return _refusal(HTTPStatus.BAD_REQUEST, str(error)).response()

    async def passing(request: Request, error: Exception) -> Response:
        full = isinstance(error, BackPressureError)
        return (overloaded if full else unavailable)(retry_after_s).response()

    answers: dict[Any, Any] = {
        RequestValidationError: malformed,
        RefusedError: refused,
        HTTPException: refused_by_route,
        OpenAIHTTPException: refused_by_engine,
        **dict.fromkeys(VLLM_CLIENT_ERRORS, refused_by_its_types),
        **dict.fromkeys(PASSING, passing),
    }
    for kind, answer in answers.items():
        http.add_exception_handler(kind, answer)
    return http


def _refusal(status: int, message: str) -> RefusedError:
    return other(HTTPException(status, " ".join(message.split())))


def _llm_config(model: ServedLLMConfig, folder: Path, config: ServeLLMConfig) -> LLMConfig:
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    engine = {
        "max_model_len": model.max_model_len,
        "max_num_seqs": model.max_concurrent,
        "chat_template": chat_template(model, folder),
        "chat_template_content_format": "string",
    }
    if model.gpus:
        engine |= {"tensor_parallel_size": max(1, int(model.gpus))}
        worker = {"CPU": model.cpus / max(1, int(model.gpus)), "GPU": min(1.0, model.gpus)}
    else:
        # Without `nobind` an engine pins itself to cores that others use too.
        environment |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(model.threads)}
        environment |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        engine |= {"dtype": "float32", "enforce_eager": True}
        engine |= {"kv_cache_memory_bytes": int(model.kv_cache_gb * 2**30)}
        worker = {"CPU": model.cpus}
    return LLMConfig(
        model_loading_config={"model_id": model.name, "model_source": str(folder)},
        engine_kwargs=engine,
        placement_group_config={"bundle_per_worker": worker},
        runtime_env={"env_vars": environment},
        deployment_config={
            "num_replicas": model.replicas,
            "max_ongoing_requests": model.max_concurrent,
            "max_queued_requests": config.max_queued,
            "backpressure_config": {"retry_after_s": config.retry_after_s},
            # The engine's share is in the placement group.
            "ray_actor_options": {"num_cpus": 0},
            # A dead engine is replaced after the third look.
            "health_check_period_s": 2,
        },
        callback_config=CallbackConfig(LocalFolder),
        # What is streamed travels in pieces of so long: each costs more than a small model's token.
        experimental_configs={"stream_batching_interval_ms": 20},
    )


def _deployment(llm: LLMConfig) -> serve.Application:
    on_cpu = isinstance(llm.accelerator_config, CPUConfig)
    return build_llm_deployment(llm, bind_kwargs={"engine_cls": EngineOnCPU} if on_cpu else None)


def _places(model: ServedLLMConfig, config: ServeLLMConfig) -> int:
    """Requests to a model that run or wait, past which it takes no more."""
    return model.replicas * model.max_concurrent + config.max_queued


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"models: {path}: cannot be read ({type(error).__name__}); give a Hugging Face folder with its tokenizer"
        ) from None
