"""Decoder-only models through Ray's LLM library on vLLM's CPU build, asked by the ``openai`` client."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import openai
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from cetd.config import ConfigError, EncoderDecoderConfig, validate
from cetd.config.serve_llm import ServedLLMConfig, ServeLLMConfig
from cetd.data.tokenizer import Tokenizer
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from tests.serve.conftest import MODEL, PLACES, POSITIONS
from tests.serve.serving import PATIENCE_S

Answer = TypeVar("Answer")

pytestmark = [pytest.mark.ray, pytest.mark.vllm]

LONG = {"ignore_eos": True}
PROMPTS = ["def f(xs):", "sum(xs)\n", "<FUNCTIONAL_REQ> Sum, ", "größer 1234"]


@pytest.fixture(scope="module")
def client(llm_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=llm_url, api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def expected(llm_folder: Path) -> list[list[int]]:
    """The tokens that Hugging Face generates greedily."""
    model: Any = AutoModelForCausalLM.from_pretrained(llm_folder)
    tokenizer = AutoTokenizer.from_pretrained(llm_folder)
    prompts = [tokenizer(prompt, return_tensors="pt") for prompt in PROMPTS]
    outputs = [model.generate(**prompt, do_sample=False, max_new_tokens=32)[0] for prompt in prompts]
    return [output[prompt["input_ids"].shape[1] :].tolist() for prompt, output in zip(prompts, outputs, strict=True)]


@pytest.fixture(scope="module")
def whole(client: openai.OpenAI) -> str:
    """The greedy answer to the first prompt."""
    return complete(client, PROMPTS[0]).choices[0].text


def complete(client: openai.OpenAI, prompt: Any, **options: Any) -> openai.types.Completion:
    given: dict[str, Any] = {"model": MODEL, "prompt": prompt, "max_tokens": 32, "temperature": 0} | options
    return client.completions.create(**given)


def once_free(ask: Callable[[], Answer], deadline: float) -> Answer:
    while True:
        try:
            return ask()
        except openai.InternalServerError:
            assert time.monotonic() < deadline, "still full"


def tokens(choice: Any) -> list[int]:
    """Ids of a completion, which vLLM adds to OpenAI's fields when asked."""
    return choice.token_ids


def said(error: openai.APIStatusError) -> dict[str, Any]:
    """The error in the answer's body, whose message is one line."""
    assert isinstance(error.body, dict)
    assert "\n" not in error.body["message"]
    return error.body


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL


def test_greedy_completions_are_hugging_faces(
    client: openai.OpenAI, expected: list[list[int]], llm_folder: Path
) -> None:
    answers = [complete(client, prompt, extra_body={"return_token_ids": True}) for prompt in PROMPTS]
    assert [tokens(answer.choices[0]) for answer in answers] == expected
    assert answers[0].choices[0].text == Tokenizer.load(llm_folder).decode(expected[0])
    assert answers[0].choices[0].finish_reason == "length"
    assert answers[0].usage
    assert answers[0].usage.completion_tokens == 32


def test_a_batch_has_the_answers_of_its_prompts(client: openai.OpenAI, expected: list[list[int]]) -> None:
    answer = complete(client, PROMPTS, extra_body={"return_token_ids": True})
    assert [tokens(choice) for choice in answer.choices] == expected


def test_a_model_without_a_chat_template_is_given_the_messages_line_by_line(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "system", "content": "def f(xs):"}, {"role": "user", "content": "    return"}],
        max_tokens=24,
        temperature=0,
    )
    answer = complete(client, "def f(xs):\n    return", max_tokens=24)
    assert chat.choices[0].message.content == answer.choices[0].text
    assert chat.usage
    assert answer.usage
    assert chat.usage.prompt_tokens == answer.usage.prompt_tokens


def test_what_is_streamed_adds_up(client: openai.OpenAI, whole: str) -> None:
    pieces = client.completions.create(model=MODEL, prompt=PROMPTS[0], max_tokens=32, temperature=0, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == whole
    messages: Any = [{"role": "user", "content": PROMPTS[0]}]
    parts = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=32, temperature=0, stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole


def test_a_seed_repeats_a_draw(client: openai.OpenAI) -> None:
    first, second, other = (complete(client, "def", temperature=1, seed=seed).choices[0].text for seed in (7, 7, 8))
    assert first == second != other


def test_text_that_imitates_control_tokens_is_text(client: openai.OpenAI) -> None:
    usage = complete(client, "<EOS><BOS>", max_tokens=1).usage
    assert usage
    assert usage.prompt_tokens > 2


@pytest.mark.parametrize("name", ["oak", f"{MODEL}:adapter", f"../{MODEL}", ""])
def test_an_unknown_model_is_not_found(name: str, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        complete(client, "a", model=name)
    message = f"model={name!r} is not here: {MODEL}"
    assert said(refused.value) == {"code": "unknown_model", "message": message, "field": "model"}


@pytest.mark.parametrize(
    ("options", "status", "names"),
    [
        ({"max_tokens": POSITIONS + 1}, 400, "max_tokens"),
        ({"prompt": "a " * POSITIONS}, 400, "context length"),
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": [10**6]}, 400, "vocabulary"),
        ({"temperature": -1}, 400, "temperature"),
        ({"stream_options": {"include_usage": True}}, 400, "stream"),
        ({"extra_body": {"structured_outputs": {"regex": "((("}}}, 400, "regex"),
        ({"max_tokens": "many"}, 422, "max_tokens"),
        ({"prompt": {"a": 1}}, 422, "prompt"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    options: dict[str, Any], status: int, names: str, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        complete(client, **{"prompt": "a"} | options)
    assert refused.value.status_code == status
    assert names in said(refused.value)["message"]


def test_a_template_in_a_request_is_refused(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "a"}]
    with pytest.raises(openai.BadRequestError, match="untrusted chat template"):
        client.chat.completions.create(model=MODEL, messages=messages, extra_body={"chat_template": "{{ 1 }}"})


def test_requests_past_the_places_are_told_to_come_back(client: openai.OpenAI, whole: str) -> None:
    def ask(_: int) -> str:
        try:
            return complete(client, PROMPTS[0], max_tokens=300, extra_body=LONG).choices[0].text[: len(whole)]
        except openai.InternalServerError as full:
            return f"{full.status_code}, again in {full.response.headers['retry-after']} s"

    with ThreadPoolExecutor(16) as many:
        answers = list(many.map(ask, range(16)))
    assert set(answers) == {whole, "503, again in 2 s"}
    assert answers.count(whole) >= sum(PLACES.values())


def test_a_client_that_goes_away_frees_its_place(client: openai.OpenAI, whole: str) -> None:
    """Twelve that kept their places would keep them for minutes."""

    def ask() -> openai.Stream[openai.types.Completion]:
        return client.completions.create(model=MODEL, prompt="def", max_tokens=4000, stream=True, extra_body=LONG)

    deadline = time.monotonic() + PATIENCE_S
    for _ in range(12):
        answer = once_free(ask, deadline)
        next(iter(answer))
        answer.close()
    assert once_free(lambda: complete(client, PROMPTS[0]), deadline).choices[0].text == whole


def test_only_what_these_models_can_is_offered(llm_url: str, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model=MODEL, input="a")


def test_a_model_without_a_folder_is_the_newest_that_was_made(tmp_path: Path) -> None:
    from serve.llm import folder_of

    config = validate(ServeLLMConfig, {"runs": tmp_path, "models": [{"name": MODEL}], "pretrain": {"steps": 0}})
    tiny = folder_of(config.models[0], config)
    assert (tiny.parent, tiny.name.startswith(f"tiny-{MODEL}-")) == (tmp_path / "models", True)
    assert folder_of(config.models[0], config) == tiny
    for key in ("0123456789ab", "fedcba987654"):
        made = tmp_path / "models" / f"{MODEL}-{key}"
        made.mkdir()
        (made / "config.json").write_text("{}")
        assert folder_of(config.models[0], config) == made


def test_a_folder_without_a_decoder_only_model_is_refused(tmp_path: Path) -> None:
    from serve.llm import app

    huggingface.save(EncoderDecoder(EncoderDecoderConfig(d_model=16, d_ff=16, d_kv=8)), tmp_path)
    for folder, message in ((tmp_path, "is an encoder-decoder; serve.cetd:app serves those"), ("/no", "FileNotFound")):
        with pytest.raises(ConfigError, match=message):
            app({"models": [{"name": MODEL, "path": str(folder)}]})


def test_a_models_own_chat_template_stays(llm_folder: Path, tmp_path: Path) -> None:
    from serve.llm import PLAIN_CHAT, chat_template

    model = ServedLLMConfig(name=MODEL)
    assert chat_template(model, llm_folder) == PLAIN_CHAT
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert chat_template(model, tmp_path) is None
    assert chat_template(model.model_copy(update={"chat_template": "x"}), tmp_path) == "x"
