from pathlib import Path

import pytest
import torch

import cetd
from cetd.config import (
    DecoderConfig,
    EncoderDecoderConfig,
    LLMConfig,
    MicroAppsConfig,
    OptimizerConfig,
    PolicyConfig,
    PretrainConfig,
)
from cetd.data.tokenizer import EOS_ID, Tokenizer
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training import making
from cetd.training.making import cache_key, examples, make_llm, make_policy, make_tokenizer

APPS = MicroAppsConfig(train=40, heldout=1, max_steps=1)
TOKENIZER = make_tokenizer(APPS, 600)
BRIEF = PretrainConfig(steps=3, batch_size=4, optimizer=OptimizerConfig(learning_rate=1e-3))
LLM = LLMConfig(
    name="oak", model=DecoderConfig(d_model=16, d_ff=32, d_head=8, n_heads=2, n_kv_heads=1, n_layers=1), pretrain=BRIEF
)
POLICY = PolicyConfig(
    model=EncoderDecoderConfig(d_model=16, d_ff=32, d_kv=8, n_heads=2, encoder_layers=1, decoder_layers=1),
    pretrain=BRIEF,
    mixture=BRIEF,
)


def test_an_llm_is_made_with_its_tokenizer_and_found_again(tmp_path: Path):
    told: list[int] = []
    folder = make_llm(LLM, APPS, TOKENIZER, 0, tmp_path, lambda done, total, loss: told.append(done))
    assert folder.parent == tmp_path
    assert folder.name.startswith("oak-")
    model = huggingface.load(folder)
    assert isinstance(model, Decoder)
    assert model.config.vocab_size == TOKENIZER.vocab_size
    assert Tokenizer.load(folder).digest == TOKENIZER.digest
    assert told == [1, 2, 3]
    assert make_llm(LLM, APPS, TOKENIZER, 0, tmp_path, lambda done, total, loss: told.append(done)) == folder
    assert told == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_policy_is_made_in_two_stages_that_count_as_one(tmp_path: Path):
    told: list[tuple[int, int]] = []
    folder = make_policy(POLICY, APPS, TOKENIZER, 0, tmp_path, lambda done, total, loss: told.append((done, total)))
    assert isinstance(huggingface.load(folder), EncoderDecoder)
    assert told == [(step, 6) for step in range(1, 7)]


def test_making_again_gives_the_same_weights_to_the_bit(tmp_path: Path):
    first, second = (huggingface.load(make_policy(POLICY, APPS, TOKENIZER, 0, tmp_path / name)) for name in "ab")
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


@pytest.mark.parametrize(
    "change",
    [
        {"dialects": ("plain", "terse")},
        {"pretrain": BRIEF.model_copy(update={"steps": 4})},
        {"model": LLM.model.model_copy(update={"d_ff": 48})},
    ],
)
def test_another_configuration_is_another_folder(tmp_path: Path, change: dict):
    assert make_llm(LLM, APPS, TOKENIZER, 0, tmp_path) != make_llm(
        LLM.model_copy(update=change), APPS, TOKENIZER, 0, tmp_path
    )


def test_another_seed_is_another_folder_but_other_heldout_apps_are_not(tmp_path: Path):
    folder = make_llm(LLM, APPS, TOKENIZER, 0, tmp_path)
    assert make_llm(LLM, APPS, TOKENIZER, 1, tmp_path) != folder
    apps = APPS.model_copy(update={"heldout": 5, "heldout_set": "test"})
    assert make_llm(LLM, apps, TOKENIZER, 0, tmp_path) == folder


def test_what_only_concerns_the_engine_does_not_make_another_model(tmp_path: Path):
    folder = make_llm(LLM, APPS, TOKENIZER, 0, tmp_path)
    assert make_llm(LLM.model_copy(update={"kv_cache_gb": 2.0}), APPS, TOKENIZER, 0, tmp_path) == folder


def test_changed_code_makes_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = cache_key("x")
    copy = tmp_path / "cetd"
    for name in making._CODE:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((Path(cetd.__file__).parent / name).read_bytes())
    monkeypatch.setattr(making.cetd, "__file__", str(copy / "__init__.py"))
    assert cache_key("x") == before
    with (copy / "data" / "steps.py").open("a") as file:
        file.write("# changed\n")
    assert cache_key("x") != before


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(huggingface, "save", full)
    with pytest.raises(OSError, match="No space left"):
        make_llm(LLM, APPS, TOKENIZER, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_finished_first_stands(tmp_path: Path):
    folder = tmp_path / "oak-key"
    folder.mkdir()
    (folder / "theirs").touch()
    model = Decoder(LLM.model.model_copy(update={"vocab_size": TOKENIZER.vocab_size}))
    assert making._publish(folder, model, TOKENIZER, {}) == folder
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [folder]


def test_an_unknown_dialect_is_refused_by_llm_and_dialect(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'latin' of oak is unknown: use some of plain"):
        make_llm(LLM.model_copy(update={"dialects": ("latin",)}), APPS, TOKENIZER, 0, tmp_path)


def test_examples_end_with_eos():
    (example,) = examples([("a b", "c\n")], TOKENIZER)
    assert TOKENIZER.decode(example.prompt) == "a b"
    assert example.completion[-1] == EOS_ID
    assert TOKENIZER.decode(example.completion) == "c\n"
