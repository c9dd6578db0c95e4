"""The gateway and the model behind it, over HTTP: what is answered, kept, refused, and counted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from ray import serve

from cetd.config import SamplingConfig
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.generation.continuous import ContinuousBatch, Request
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.serving.recording import examples
from tests.serve.conftest import Deploying
from tests.serve.serving import SOURCE, Client, until

pytestmark = pytest.mark.ray

ENDLESS = 1900


@pytest.fixture(scope="module")
def client(deploy: Deploying, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return deploy(
        "gateway",
        runs=str(tmp_path_factory.mktemp("runs")),
        model={"path": str(model_folder)},
        batching={"max_rows": 8, "max_input_tokens": 200, "max_new_tokens": 2000, "default_new_tokens": 24},
        limits={"max_body_bytes": 20_000, "max_inputs": 4},
        recording={"enabled": True},
    )


def sources(count: int) -> list[str]:
    return [f"def f{number}(x):\n    return x * {number * 37}\n" for number in range(count)]


def alone(folder: Path, text: str) -> str:
    """What the model writes where nothing else is asked of it."""
    model, tokenizer = huggingface.load(folder), Tokenizer.load(folder)
    assert isinstance(model, EncoderDecoder)
    batch = ContinuousBatch(model, eos_id=EOS_ID, pad_id=0, max_rows=1, max_batch_tokens=1000)
    batch.add(0, Request(tuple(tokenizer.encode(text)), SamplingConfig(temperature=0, max_new_tokens=24)))
    tokens = []
    while batch.waiting or batch.running:
        tokens += [drawn.token for drawn in batch.step()]
    return tokenizer.decode(tokens)


def endless(client: Client) -> str:
    """A source for which the model writes on and on."""
    texts = sources(20)
    for text in texts:
        if client.post("/v1/requirements", {"source": text}).json()["finish_reason"] == "length":
            return text
    raise AssertionError("the model ends every text")


def test_requirements_are_answered_whole(client: Client, model_folder: Path) -> None:
    answer = client.post("/v1/requirements", {"source": SOURCE}, **{"x-request-id": "my-request"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert answer.headers["x-request-id"] == said["id"] == "my-request"
    assert said["text"] == alone(model_folder, SOURCE)
    assert "".join(item["text"] for item in said["items"]).split() == said["text"].split()
    assert said["model"] == "cetd"
    assert said["model_version"] == f"cetd@{model_folder.name}"
    assert said["finish_reason"] in ("stop", "length")
    tokens = len(Tokenizer.load(model_folder).encode(SOURCE))
    assert said["usage"]["input_tokens"] == tokens
    assert 0 <= said["timings"]["queue_ms"] <= said["timings"]["first_token_ms"] <= said["timings"]["total_ms"]


def test_many_at_once_have_the_answers_that_they_have_alone(client: Client, model_folder: Path) -> None:
    asked = sources(24)
    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda text: client.post("/infer", {"inputs": [text]}), asked))
    assert [answer.json()["outputs"] for answer in answers] == [[alone(model_folder, text)] for text in asked]


def test_infer_answers_several_texts_in_their_order(client: Client, model_folder: Path) -> None:
    asked = sources(4)
    said = client.post("/infer", {"inputs": asked, "max_new_tokens": 24}).json()
    assert said["outputs"] == [alone(model_folder, text) for text in asked]
    assert len(said["finish_reasons"]) == 4


def test_files_are_read_one_after_another(client: Client) -> None:
    several = client.post("/v1/requirements", {"files": {"b.py": "y = 2\n", "a.py": "x = 1\n"}}).json()
    together = {"source": "# a.py\nx = 1\n\n# b.py\ny = 2\n"}
    assert several["text"] == client.post("/v1/requirements", together).json()["text"]


def test_a_stream_tells_pieces_and_then_the_whole(client: Client) -> None:
    body = {"source": sources(3)[2], "options": {"max_new_tokens": 40}}
    events = list(client.events("/v1/requirements", {**body, "stream": True}))
    names = [name for name, _ in events]
    assert names == ["token"] * (len(names) - 1) + ["done"]
    whole = events[-1][1]
    assert "".join(data["text"] for name, data in events if name == "token") == whole["text"]
    assert whole["text"] == client.post("/v1/requirements", body).json()["text"]


def test_a_draw_repeats_with_its_seed(client: Client) -> None:
    source = endless(client)

    def drawn(seed: int, beside: str) -> list[str]:
        body = {"inputs": [source, beside], "temperature": 1.0, "seed": seed, "max_new_tokens": 40}
        return client.post("/infer", body).json()["outputs"]

    # What else is asked makes no difference, and keeps the cache from answering.
    assert drawn(3, "x = 1\n")[0] == drawn(3, "y = 2\n")[0]
    assert drawn(3, "x = 1\n")[0] != drawn(4, "x = 1\n")[0]


def test_the_same_request_is_answered_from_the_cache(client: Client) -> None:
    body = {"source": "def cached(x):\n    return x\n"}
    first, second = client.post("/v1/requirements", body).json(), client.post("/v1/requirements", body).json()
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["text"] == second["text"]
    assert not client.post("/v1/requirements", {**body, "options": {"max_new_tokens": 3}}).json()["cached"]


@pytest.mark.parametrize(
    ("path", "body", "field", "said"),
    [
        ("/v1/requirements", {}, None, "give either source or files"),
        ("/v1/requirements", {"source": "x", "files": {"a": "x"}}, None, "give either source or files"),
        ("/v1/requirements", {"source": "x", "options": {"temperature": -1}}, "options.temperature", "greater than"),
        ("/v1/requirements", {"source": "x", "optoins": {}}, "optoins", "extra inputs"),
        ("/v1/requirements", {"source": "x", "options": {"max_new_tokens": 3000}}, "max_new_tokens", "at most 2000"),
        ("/infer", {"inputs": []}, "inputs", "at least 1"),
        ("/infer", {"inputs": ["x"] * 5}, "inputs", "at most 4"),
        ("/infer", {"inputs": ["x", ""]}, "inputs.1", "empty"),
        ("/v1/feedback", {"request_id": "x"}, None, "give passed, rating or both"),
        ("/v1/pipeline", {"source": "x"}, "llm", "required"),
    ],
)
def test_a_wrong_field_is_named(client: Client, path: str, body: object, field: str | None, said: str) -> None:
    answer = client.post(path, body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error.get("field") == field
    assert said in error["message"]


def test_no_json_is_said_to_be_none(client: Client) -> None:
    answer = httpx.post(f"{client.url}/infer", content=b"{", headers={"content-type": "application/json"}, timeout=30)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_json"


def test_what_is_too_large_is_refused_with_the_limit(client: Client) -> None:
    body = client.post("/v1/requirements", {"source": "x" * 30_000})
    assert body.status_code == 413
    assert body.json()["error"] == {
        "code": "body_too_large",
        "message": "the body has more than 20000 bytes: send less, or have limits.max_body_bytes raised",
        "limit": 20_000,
    }
    tokens = client.post("/v1/requirements", {"source": "abc " * 400})
    assert tokens.status_code == 413
    assert tokens.json()["error"]["limit"] == 200


@pytest.mark.parametrize("header", ["x-request-timeout-seconds", "x-request-disconnect-disabled"])
def test_headers_that_switch_off_serves_watch_are_refused(client: Client, header: str) -> None:
    answer = client.post("/infer", {"inputs": ["x"]}, **{header: "?1"})
    assert answer.status_code == 400
    assert header in answer.json()["error"]["message"]


def test_a_path_that_is_not_there_and_a_wrong_method_answer_in_json(client: Client) -> None:
    assert client.get("/nowhere").json()["error"]["code"] == "not_found"
    assert client.get("/infer").status_code == 405


def test_a_deadline_ends_a_request_and_frees_its_row(client: Client) -> None:
    body = {"source": endless(client), "options": {"max_new_tokens": ENDLESS, "temperature": 1.0}, "deadline_s": 0.3}
    answer = client.post("/v1/requirements", body)
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "deadline_exceeded"
    until(lambda: client.figure("cetd_batch_rows") == 0)


@pytest.mark.parametrize("temperature", [0.0, 1.0], ids=["translating", "stepping"])
def test_a_client_that_goes_away_frees_its_row(client: Client, temperature: float) -> None:
    body = {
        "source": endless(client),
        "options": {"max_new_tokens": ENDLESS, "temperature": temperature},
        "stream": True,
    }
    written = client.figure("cetd_output_tokens_total") or 0.0
    events = client.events("/v1/requirements", body)
    assert next(events)[0] == "token"
    events.close()  # type: ignore[attr-defined]
    until(lambda: client.figure("cetd_batch_rows") == 0)
    # It was not written to its end, which alone is counted.
    assert (client.figure("cetd_output_tokens_total") or 0.0) - written < ENDLESS


def test_verdicts_are_kept_of_what_was_served(client: Client) -> None:
    served = client.post("/v1/requirements", {"source": SOURCE}).json()
    verdict = {"request_id": served["id"], "passed": True, "comment": "rebuilt at once"}
    assert client.post("/v1/feedback", verdict).json() == {"request_id": served["id"], "recorded": True}
    unknown = client.post("/v1/feedback", {**verdict, "request_id": "nobody"})
    assert unknown.status_code == 404
    assert unknown.json()["error"]["field"] == "request_id"


def test_what_was_recorded_is_kept_when_the_gateway_ends(deploy: Deploying, model_folder: Path, tmp_path: Path) -> None:
    short = deploy("short", runs=str(tmp_path), model={"path": str(model_folder)}, recording={"enabled": True})
    served = short.post("/v1/requirements", {"source": SOURCE}).json()
    short.post("/v1/feedback", {"request_id": served["id"], "rating": 5})
    serve.delete("short")
    deploy.names.remove("short")
    ((kept, verdict),) = examples(tmp_path / "production")
    assert (kept.request_id, kept.source, verdict.rating) == (served["id"], SOURCE, 5)


def test_health_and_readiness(client: Client, model_folder: Path) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json()["model_version"] == f"cetd@{model_folder.name}"


def test_metrics_count_requests_tokens_and_cache_hits(client: Client) -> None:
    body = {"source": "def counted(x):\n    return x\n"}
    served = client.post("/v1/requirements", body).json()
    client.post("/v1/requirements", body)
    assert served["usage"]["output_tokens"] > 0
    until(lambda: (client.figure("cetd_requests_total", path="/v1/requirements", status="200") or 0) >= 2)
    until(lambda: (client.figure("cetd_cache_hits_total") or 0) >= 1)
    for name in (
        "cetd_request_seconds_count",
        "cetd_first_token_seconds_count",
        "cetd_input_tokens_total",
        "cetd_output_tokens_total",
        "cetd_cache_misses_total",
    ):
        until(lambda name=name: (client.figure(name) or 0) >= 1)
    until(lambda: client.figure("cetd_queue_depth") is not None)
    until(lambda: client.figure("cetd_batch_rows") is not None)


def test_the_openapi_document_names_every_route(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/requirements", "/infer", "/v1/pipeline", "/v1/feedback", "/v1/models", "/health", "/ready"} <= set(
        paths
    )
    assert "swagger" in client.get("/docs").text


def test_no_llm_is_served_here(client: Client) -> None:
    assert client.get("/v1/models").json() == {"object": "list", "data": []}
    for path, body in (
        ("/v1/pipeline", {"source": SOURCE, "llm": "nobody"}),
        ("/v1/completions", {"model": "nobody", "prompt": "x"}),
        ("/v1/chat/completions", {"model": "nobody", "messages": []}),
    ):
        answer = client.post(path, body)
        assert answer.status_code == 404, answer.text
        assert answer.json()["error"]["field"] == "model"


def test_security_headers_stand_on_every_answer(client: Client) -> None:
    for answer in (client.get("/health"), client.get("/nowhere"), client.post("/infer", {"inputs": []})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert json.dumps(dict(answer.headers)).count("x-request-id") == 1
