"""``python -m jobs.grow`` from a Hugging Face folder to a larger preset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cetd.config import DecoderConfig, EncoderDecoderConfig, dump
from cetd.models import growth, huggingface
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.huggingface import TokenIds
from jobs import grow

SMALL = EncoderDecoderConfig(
    vocab_size=40, d_model=16, d_ff=24, d_kv=4, n_heads=2, encoder_layers=1, decoder_layers=1, dropout=0.1
)
LARGE = SMALL.model_copy(update={"d_model": 32, "n_heads": 4, "decoder_layers": 3})
IDS = TokenIds(pad=0, eos=2, bos=1, decoder_start=0)


@pytest.fixture(autouse=True)
def presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets of this test."""
    folder = tmp_path / "presets"
    folder.mkdir()
    configs = {
        "large": LARGE,
        "fewer-tokens": LARGE.model_copy(update={"vocab_size": 30}),
        "more-tokens": LARGE.model_copy(update={"vocab_size": 50}),
        "narrow": LARGE.model_copy(update={"d_model": 8}),
        "language-model": DecoderConfig(),
    }
    for name, config in configs.items():
        (folder / f"{name}.yaml").write_text(dump(config))
    monkeypatch.setattr("cetd.config.models.PRESETS", folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a small model, other ids than ours, and a tokenizer."""
    folder = tmp_path / "small"
    torch.manual_seed(0)
    huggingface.save(EncoderDecoder(SMALL), folder, IDS)
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    (folder / "merges.txt").write_text("a b")
    return folder


@pytest.fixture
def error_of(source: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line that growing the small model ends with."""

    def run(*arguments: str, folder: Path = source) -> str:
        with pytest.raises(SystemExit) as ended:
            grow.main(["--from", str(folder), *arguments])
        assert ended.value.code == 2
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1
        return shown.removeprefix("error: ").strip()

    return run


def test_the_grown_folder_computes_the_same_and_has_ids_and_tokenizer(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grown"
    grow.main(["--from", str(source), "--to", "large", "-o", str(output), "--seed", "5"])
    grown, small = huggingface.load(output), huggingface.load(source)
    assert grown.config == LARGE
    assert growth.largest_deviation(small, grown, seed=9) < 1e-4
    assert huggingface.read_token_ids(output) == IDS
    assert json.loads((output / "tokenizer.json").read_text()) == {"version": "1.0"}
    assert (output / "merges.txt").read_text() == "a b"
    shown = capsys.readouterr().out.splitlines()
    assert "largest deviation of a logit: " in shown[0]
    assert shown[1] == f"{output}: written, with tokenizer.json, merges.txt"


def test_the_default_folder_stands_beside_the_source_and_the_seed_decides_the_weights(
    source: Path, tmp_path: Path
) -> None:
    grow.main(["--from", str(source), "--to", "large"])
    weights = (tmp_path / "small-large" / huggingface.WEIGHTS).read_bytes()
    for seed, same in (("0", True), ("1", False)):
        grow.main(["--from", str(source), "--to", "large", "--seed", seed, "-o", str(tmp_path / f"seed-{seed}")])
        assert ((tmp_path / f"seed-{seed}" / huggingface.WEIGHTS).read_bytes() == weights) is same


@pytest.mark.parametrize(("preset", "tokens"), [("fewer-tokens", 40), ("more-tokens", 50)])
def test_the_vocabulary_never_shrinks(preset: str, tokens: int, source: Path, tmp_path: Path) -> None:
    grow.main(["--from", str(source), "--to", preset, "-o", str(tmp_path / "grown")])
    assert huggingface.load(tmp_path / "grown").config.vocab_size == tokens


def test_a_checkpoint_without_a_tokenizer_grows_and_says_so(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "tokenizer.json").unlink()
    (source / "merges.txt").unlink()
    grow.main(["--from", str(source), "--to", "large", "-o", str(tmp_path / "grown")])
    assert "no tokenizer files" in capsys.readouterr().out


def test_what_cannot_be_grown_is_one_line_and_nothing_is_written(
    error_of: Callable[..., str], source: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert error_of("--to", "gigantic").startswith("model: preset 'gigantic' is not under configs/model/; known: ")
    assert error_of("--to", "narrow").startswith("d_model=8: growth does not shrink, and the model has 16")
    assert error_of("--to", "language-model").startswith("family='decoder': growth cannot change it")
    assert error_of("--to", "large", folder=tmp_path / "no").startswith(f"{tmp_path}/no: no config.json there")
    assert error_of("--to", "large", "-o", str(source)) == (
        f"-o {source}: a model stands there already; name another folder"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_truncated_model_is_one_line(error_of: Callable[..., str], source: Path) -> None:
    weights = source / huggingface.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-50])
    assert "damaged or cut short" in error_of("--to", "large")


def test_a_model_that_computes_something_else_is_not_written(
    error_of: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "grow", lambda model, target, seed: EncoderDecoder(target))
    assert "the logits of the grown model differ by " in error_of("--to", "large", "-o", str(tmp_path / "grown"))
    assert not (tmp_path / "grown").exists()


def test_a_language_model_grows_too(tmp_path: Path) -> None:
    small = DecoderConfig().model_copy(update={"d_model": 64, "n_layers": 1, "n_heads": 2, "n_kv_heads": 2})
    huggingface.save(Decoder(small), tmp_path / "lm")
    grow.main(["--from", str(tmp_path / "lm"), "--to", "language-model"])
    assert huggingface.load(tmp_path / "lm-language-model").config == DecoderConfig()
