"""``python -m jobs.evaluate`` on runs of tiny, real models."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from cetd.config import PretrainConfig, dump, validate
from cetd.config.phases import Phase1Config, Phase2Config
from cetd.config.train import TrainJobConfig
from cetd.config.training import OptimizerConfig
from cetd.data.pairs import Pairs
from cetd.data.phases import phase1_rows, phase1_schema, phase2_rows, phase2_schema
from cetd.data.tokenizer import Tokenizer
from cetd.evaluation.metrics import METRICS_FILE
from cetd.models import huggingface
from cetd.training.preparation import first_model
from cetd.training.pretrain import pretrain
from jobs import evaluate
from tests.cetd.data.phases.code import repository

VOCABULARY = 400
SMALL = {
    "family": "encoder-decoder",
    "d_model": 32,
    "d_ff": 64,
    "d_kv": 16,
    "n_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each phase, as jobs.train leaves it: configuration, metrics, and a model trained for some steps."""
    torch.set_num_threads(1)  # threads that wait for each other on a busy machine cost minutes
    folder = tmp_path_factory.mktemp("evaluated")
    rows = {
        1: (phase1_rows(repository(), Phase1Config(candidates=4, none_share=0.4, max_chars=500), 0), phase1_schema),
        2: (phase2_rows(repository(), Phase2Config(max_input_chars=300), 0), phase2_schema),
    }
    for phase, (made, schema) in rows.items():
        for split in ("train", "validation"):
            path = folder / "data" / f"phase{phase}" / split / "part-0.parquet"
            path.parent.mkdir(parents=True)
            pyarrow.parquet.write_table(pa.Table.from_pylist(made, schema), path)
    texts = [row[name] for made, _ in rows.values() for row in made for name in ("input", "target")]
    Tokenizer.train(texts, VOCABULARY).save(folder / "tokenizer")
    for phase in rows:
        train(folder, phase)
    return folder


def train(root: Path, phase: int, name: str = "") -> Path:
    folder, data = root / (name or f"phase{phase}"), root / "data" / f"phase{phase}"
    tokenizer = Tokenizer.load(root / "tokenizer")
    tree = {
        "phase": phase,
        "model": {**SMALL, "vocab_size": tokenizer.vocab_size},
        "tokenizer": str(root / "tokenizer"),
        "data": {
            **{split: str(data / split) for split in ("train", "validation")},
            **{"max_input_tokens": 200, "max_output_tokens": 24, "too_long": "truncate"},
        },
    }
    config = validate(TrainJobConfig, tree)
    folder.mkdir()
    (folder / "config.yaml").write_text(dump(config))
    torch.manual_seed(0)
    model = first_model(config)
    pairs = Pairs(data / "train", config.data, tokenizer)
    steps = PretrainConfig(steps=12, batch_size=8, optimizer=OptimizerConfig(learning_rate=3e-3))
    losses = pretrain(model, pairs.examples(range(len(pairs))), steps, 0)
    lines = [json.dumps({"iteration": step, "loss": loss}) for step, loss in enumerate(losses, start=1)]
    (folder / METRICS_FILE).write_text("".join(f"{line}\n" for line in lines))
    huggingface.save(model, folder / "model")
    tokenizer.save(folder / "model")
    return folder


def test_phase_1_is_ranked_against_bm25_on_the_same_rows(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main([str(root / "phase1")])
    shown = capsys.readouterr().out
    assert "Finding the relevant section (7 validation rows)" in shown
    assert "BM25 alone" in shown
    found = json.loads((root / "phase1" / "evaluation.json").read_text())
    rows = pyarrow.parquet.read_table(root / "data" / "phase1" / "validation").to_pylist()
    there = [row for row in rows if row["label"] >= 0]
    bm25 = found["figures"]["BM25 alone"]
    assert bm25["candidate_accuracy"] == pytest.approx(sum(row["label"] == 0 for row in there) / len(there))
    assert bm25["candidate_mrr"] == pytest.approx(sum(1 / (row["label"] + 1) for row in there) / len(there))
    assert (found["phase"], found["rows"], found["figures"]["model"]["rows"]) == (1, 7, 7)
    assert 0 < found["figures"]["model"]["mrr"] <= 1
    assert all("threshold" in one for one in found["figures"].values())
    kind = [[answer[:5] == "same " for answer in row["answers"]].index(True) for row in there]
    right = sum(first == row["label"] for first, row in zip(kind, there, strict=True))
    assert found["figures"]["BM25 and kind"]["candidate_accuracy"] == pytest.approx(right / len(there))
    assert all("threshold" in one for one in found["figures"].values())
    kind = [
        [name for name, said in zip(row["candidates"], row["answers"], strict=True) if said[:5] == "same "]
        for row in there
    ]
    first = [names[0] == row["candidates"][row["label"]] for names, row in zip(kind, there, strict=True)]
    assert found["figures"]["BM25 and kind"]["candidate_accuracy"] == pytest.approx(sum(first) / len(there))
    assert found["revision"]


def test_the_page_shows_tables_curves_and_rows(root: Path) -> None:
    evaluate.main([str(root / "phase2"), "--limit", "5", "--split", "train"])
    page = (root / "phase2" / "evaluation.html").read_text()
    assert "5 train rows" in page
    for said in ("Token F1 by severity", "Items by section", "nearest example", "Written by the model", "<svg"):
        assert said in page


def test_phase_2_is_compared_with_copying(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main([str(root / "phase2")])
    assert "Structured requirements" in capsys.readouterr().out
    found = json.loads((root / "phase2" / "evaluation.json").read_text())["figures"]
    assert found["nearest example"]["token_f1"] == pytest.approx(
        1, abs=0.2
    )  # these validation rows are the training rows
    assert found["signature alone"]["exact"]["FUNCTION_DEF"]["agreeing"] > 0
    assert 0 <= found["model"]["token_f1"] < 1
    assert sum(one["rows"] for one in found["model"]["by_severity"].values()) == found["model"]["rows"]


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as ended:
        evaluate.main([*arguments])
    assert ended.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()
    assert not any("Traceback" in line for line in last)
    return last[-1].removeprefix("error: ")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, str(tmp_path / "no")).startswith(f"run={tmp_path}/no: no run there; name a run folder")
    (tmp_path / "config.yaml").write_text("loop: {iterations: 3}\n")
    assert "not a run of jobs.train" in error_of(capsys, str(tmp_path))


def test_later_phases_are_sent_to_the_gate(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (root / "phase1" / "config.yaml").read_text().replace("phase: 1", "phase: 3")
    (tmp_path / "config.yaml").write_text(text)
    assert error_of(capsys, str(tmp_path)).endswith(f"measured by pass rates: python -m jobs.gate {tmp_path}")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("validation", None, "data.validation: the run has none"),
        ("validation", "{root}/data/phase2/validation", "{root}/data/phase2/validation: column label is missing"),
        ("validation", "{root}/nowhere", "{root}/nowhere: no such file"),
    ],
)
def test_data_that_cannot_be_evaluated_on_is_named(
    field: str, value: str | None, message: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = validate(TrainJobConfig, evaluate.read(root / "phase1" / "config.yaml"))
    path = Path(value.format(root=root)) if value else None
    data = config.data.model_copy(update={field: path})
    (tmp_path / "config.yaml").write_text(dump(config.model_copy(update={"data": data})))
    (tmp_path / "model").symlink_to(root / "phase1" / "model")
    assert message.format(root=root) in error_of(capsys, str(tmp_path))


def test_a_run_without_a_model_names_the_command_that_goes_on(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text((root / "phase1" / "config.yaml").read_text())
    assert "no model there yet; go on with python -m jobs.train --config" in error_of(capsys, str(tmp_path))


def test_no_rows_are_no_limit(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, str(root / "phase1"), "--limit", "0") == "--limit=0: evaluate on at least 1 row"
