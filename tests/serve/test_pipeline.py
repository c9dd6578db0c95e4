"""From code to requirements to a program, with an LLM that is served here, and without one that answers."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from cetd.data.app import Interface
from cetd.data.prompts import program_from, reconstruction_prompt
from cetd.evaluation.server_process import free_port
from tests.serve.conftest import MODEL, Deploying
from tests.serve.serving import SOURCE, Client

pytestmark = [pytest.mark.ray, pytest.mark.vllm]

ASKED = {"source": SOURCE, "llm": MODEL, "llm_options": {"max_new_tokens": 16}, "options": {"max_new_tokens": 12}}
INTERFACE = Interface("solution", ("def f(x)",))


@pytest.fixture(scope="module")
def client(deploy: Deploying, model_folder: Path, llm_url: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return deploy(
        "pipeline",
        runs=str(tmp_path_factory.mktemp("runs")),
        model={"path": str(model_folder)},
        llms=[
            {"name": MODEL, "base_url": llm_url, "chat": False},
            {"name": "talking", "base_url": llm_url, "served_model": MODEL},
            {"name": "absent", "base_url": f"http://127.0.0.1:{free_port()}/v1"},
        ],
    )


@pytest.fixture(scope="module")
def llm(llm_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=llm_url, api_key="none", max_retries=0)


def test_the_llm_writes_from_the_requirements(client: Client, llm: openai.OpenAI) -> None:
    said = client.post("/v1/pipeline", ASKED).json()
    alone = {"source": SOURCE, "options": ASKED["options"]}
    assert said["requirements"]["text"] == client.post("/v1/requirements", alone).json()["text"]
    prompt = reconstruction_prompt(said["requirements"]["text"], INTERFACE)
    direct = llm.completions.create(model=MODEL, prompt=prompt, max_tokens=16, temperature=0).choices[0].text
    assert said["answer"] == direct
    assert said["program"] == program_from(direct)
    timings = said["timings"]
    assert timings["total_ms"] == pytest.approx(timings["requirements_ms"] + timings["answer_ms"], abs=1)


def test_both_stages_stream(client: Client) -> None:
    events = list(client.events("/v1/pipeline", {**ASKED, "stream": True}))
    names = list(dict.fromkeys(name for name, _ in events))
    assert names == ["token", "requirements", "answer_token", "done"]
    done = events[-1][1]
    assert "".join(data["text"] for name, data in events if name == "token") == done["requirements"]["text"]
    assert "".join(data["text"] for name, data in events if name == "answer_token") == done["answer"]


def test_the_interface_can_be_given(client: Client, llm: openai.OpenAI) -> None:
    given = {"module": "adding", "signatures": ["def add(x, y)"]}
    said = client.post("/v1/pipeline", {**ASKED, "source": "x := 1;", "interface": given}).json()
    prompt = reconstruction_prompt(said["requirements"]["text"], Interface("adding", ("def add(x, y)",)))
    assert (
        said["answer"]
        == llm.completions.create(model=MODEL, prompt=prompt, max_tokens=16, temperature=0).choices[0].text
    )
    refused = client.post("/v1/pipeline", {**ASKED, "source": "x := 1;"})
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "interface"


def test_a_chat_endpoint_is_asked_in_chat(client: Client) -> None:
    # The plain template gives the model the same text.
    assert (
        client.post("/v1/pipeline", {**ASKED, "llm": "talking"}).json()["answer"]
        == (client.post("/v1/pipeline", ASKED).json()["answer"])
    )


def test_openai_clients_reach_the_llms_through_the_gateway(client: Client, llm: openai.OpenAI) -> None:
    through = openai.OpenAI(base_url=f"{client.url}/v1", api_key="none", max_retries=0)
    assert [model.id for model in through.models.list()] == [MODEL, "talking", "absent"]
    direct = llm.completions.create(model=MODEL, prompt="def f", max_tokens=12, temperature=0).choices[0].text
    asked = {"prompt": "def f", "max_tokens": 12, "temperature": 0}
    assert through.completions.create(model="talking", **asked).choices[0].text == direct  # type: ignore[call-overload]
    pieces = through.completions.create(model=MODEL, stream=True, **asked)  # type: ignore[call-overload]
    assert "".join(piece.choices[0].text for piece in pieces) == direct
    messages = [{"role": "user", "content": "def f"}]
    chat = through.chat.completions.create(model=MODEL, messages=messages, max_tokens=12, temperature=0)  # type: ignore[arg-type]
    assert chat.choices[0].message.content == direct
    with pytest.raises(openai.BadRequestError):
        through.completions.create(model=MODEL, prompt="def f", max_tokens=10**6)


def test_an_llm_that_does_not_answer_is_named(client: Client) -> None:
    answer = client.post("/v1/pipeline", {**ASKED, "llm": "absent"})
    assert answer.status_code == 502
    assert answer.json()["error"] == {
        "code": "llm_failed",
        "message": "llm=absent: no answer (ConnectError)",
        "field": "llm",
    }
    events = list(client.events("/v1/pipeline", {**ASKED, "llm": "absent", "stream": True}))
    assert events[-1][0] == "error"
    assert "requirements" in [name for name, _ in events]
