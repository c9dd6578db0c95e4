"""Configuration: presets load, overrides apply, and what is wrong is said in one line."""

from pathlib import Path

import pytest

from cetd import config
from cetd.config import ConfigError, DecoderConfig, FeedbackJobConfig, FolderAppsConfig, MicroAppsConfig, load
from cetd.config.train import TrainJobConfig

ROOT = Path(__file__).parent.parent.parent
TWO_LLMS = "llms=[{name: a}, {name: b}]"


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "feedback").glob("*.yaml")), ids=lambda path: path.name)
def test_every_feedback_preset_loads(path: Path) -> None:
    loaded = load(FeedbackJobConfig, path)
    assert load(FeedbackJobConfig, path, ["run.seed=9"]).run.seed == 9
    assert loaded.run.seed == 0


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "train").glob("*.yaml")), ids=lambda path: path.name)
def test_every_training_preset_loads(path: Path) -> None:
    assert load(TrainJobConfig, path, ["run.seed=9"]).run.seed == 9


@pytest.mark.parametrize(
    ("phase", "model", "tokens", "steps", "optimizer", "dropout", "stop"),
    [
        (1, "cetd-1b", (2048, 512), (10, 4, 2), (5e-5, 1000, "linear", 0.0, 1.0), 0.1, (3, 0.001)),
        (2, "cetd-1b", (2048, 1024), (5, 4, 2), (3e-5, 500, "linear", 0.0, 1.0), 0.1, None),
        (3, "cetd-3b", (4096, 2048), (20, 2, 4), (1e-4, 2000, "cosine", 1e-6, 0.5), 0.15, None),
        (4, "cetd-5b", (4096, 2048), (5, 2, 4), (1e-6, 10, "constant", 0.0, 0.5), 0.1, (2, 0.005)),
    ],
)
def test_phases_have_the_values_of_the_specification(phase, model, tokens, steps, optimizer, dropout, stop) -> None:
    job = load(TrainJobConfig, ROOT / "configs" / "train" / f"phase{phase}.yaml")
    preset = load(TrainJobConfig, None, [f"model={model}", "tokenizer=a", "data.train=b"]).model
    adam = job.optimizer
    assert job.phase == phase
    assert job.model == preset.model_copy(update={"dropout": dropout})
    assert (job.data.max_input_tokens, job.data.max_output_tokens) == tokens
    assert (job.epochs, job.batch_size, job.accumulation) == steps
    assert (adam.learning_rate, adam.warmup_steps, adam.schedule, adam.min_learning_rate, adam.clip) == optimizer
    assert (adam.betas, adam.eps, adam.weight_decay) == ((0.9, 0.999), 1e-8, 0.01)
    assert (job.early_stop and (job.early_stop.patience, job.early_stop.min_delta)) == stop
    weighting = job.reward_weighting
    assert (weighting and (weighting.scale, weighting.variance_penalty)) == ((1.0, 0.1) if phase == 3 else None)


def test_a_preset_and_what_differs_from_it() -> None:
    short = ["data.max_input_tokens=100", "data.max_output_tokens=100"]
    given = ["tokenizer=a", "data.train=b", *short, "model={preset: tiny-lm, n_layers: 5}"]
    model = load(TrainJobConfig, None, given).model
    assert isinstance(model, DecoderConfig)
    assert (model.n_layers, model.d_model) == (5, 64)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=cetd-2b"], "model: preset 'cetd-2b' is not under configs/model/; known: cetd-1b, "),
        (["model={preset: tiny-lm, n_layrs: 5}"], "model.n_layrs: unknown key; did you mean model.n_layers?"),
        (["model={n_layers: 5}"], "model: {'n_layers': 5} gives neither preset (known: cetd-1b, "),
        (["model={family: decoder, n_heads: 5, n_kv_heads: 2}"], "model: n_kv_heads=2 must divide n_heads=5"),
        (["parallel.workers=4", "parallel.tensor=3"], "parallel: workers=4: tensor=3 does not divide it; use 3 or 6"),
        (["parallel.workers=3", "batch_size=4"], "batch_size=4 does not divide among 3 replicas; use 6"),
        (["early_stop={patience: 2}"], "early_stop: needs data.validation, which is unset"),
        (["model=tiny-lm"], "data.max_input_tokens + data.max_output_tokens = 2560 exceeds model.max_positions=256"),
        (["tokenizer=null"], "tokenizer: unset; give the folder of the tokenizer"),
        (["data.train=null"], "data: train, micro and packed: give one of them"),
        (["data.micro={}"], "data: train, micro and packed: give one of them"),
    ],
)
def test_a_training_job_that_cannot_be_is_said_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(TrainJobConfig, None, ["model=tiny-cetd", "tokenizer=a", "data.train=b", *overrides])
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_overrides_reach_sections_and_list_items() -> None:
    loaded = load(FeedbackJobConfig, None, [TWO_LLMS, "loop.group_size=4", "llms.1.limits.max_retries=7"])
    assert loaded.loop.group_size == 4
    assert [llm.limits.max_retries for llm in loaded.llms] == [2, 7]


def test_a_dumped_configuration_loads_as_itself(tmp_path: Path) -> None:
    loaded = load(FeedbackJobConfig, None, [TWO_LLMS, "feedback.advantage=rloo"])
    (tmp_path / "config.yaml").write_text(config.dump(loaded))
    assert load(FeedbackJobConfig, tmp_path / "config.yaml") == loaded


def test_a_base_file_gives_what_the_file_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("llms: [{name: a}, {name: b}]\nloop: {group_size: 4, iterations: 3}\n")
    (tmp_path / "more.yaml").write_text("base: base.yaml\nloop: {iterations: 5}\n")
    loop = load(FeedbackJobConfig, tmp_path / "more.yaml").loop
    assert (loop.group_size, loop.iterations) == (4, 5)


def test_apps_are_micro_unless_their_kind_says_otherwise() -> None:
    assert isinstance(load(FeedbackJobConfig, None, [TWO_LLMS, "apps.train=50"]).apps, MicroAppsConfig)
    folders = [TWO_LLMS, "apps={kind: folder, train: a, heldout: b}"]
    assert isinstance(load(FeedbackJobConfig, None, folders).apps, FolderAppsConfig)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loop.grup_size=8", "loop.grup_size: unknown key; did you mean loop.group_size?"),
        ("zzz=8", "zzz: unknown key; known here: "),
        ("loop.group_size=many", "loop.group_size='many': input should be a valid integer"),
        ("loop.group_size=1", "loop.group_size=1: input should be greater than or equal to 2"),
        (
            "feedback.advantage=best",
            "feedback.advantage='best': input should be 'grpo', 'grpo-no-std', 'rloo' or 'none'",
        ),
        ("feedback.quorum=3", "feedback.quorum=3 exceeds the 2 reconstruction LLMs: lower it"),
        ("learner.workers=3", "learner.workers=3 x learner.minibatches=1 must divide the 128 rollouts"),
        ("llms.0.engine=openai", "llms.0: base_url is unset: engine=openai needs the endpoint's URL"),
        ("llms.2.name=c", "llms.2.name: '2' is no item of a list of 2: use 0 to 1"),
        ("llms.1.name=a", "llms: names must be unique, got ['a', 'a']"),
        ("run.name=../x", "run.name='../x': string should match pattern"),
        ("apps.max_steps=9", "apps.max_steps=9: input should be less than or equal to 4"),
        ("apps.kind=zip", "apps={'kind': 'zip'}: input tag 'zip' found using"),
        ("loop", "'loop' is not an override: write section.field=value"),
        ("loop.group_size.x=1", "loop.group_size={'x': 1}: input should be a valid integer"),
        ("run.seed=[", "run.seed='[': the value is not YAML"),
        ("policy.model.relative_max_distance=16", "policy.model: relative_max_distance=16 must exceed half of"),
        ("llms.0.model.n_kv_heads=3", "llms.0.model: n_kv_heads=3 must divide n_heads=4"),
    ],
)
def test_what_is_wrong_is_one_line_with_field_value_and_remedy(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(FeedbackJobConfig, None, [TWO_LLMS, override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config=nowhere\.yaml: no such file; presets are under configs/"):
        load(FeedbackJobConfig, Path("nowhere.yaml"))
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="expected a mapping of sections, got list"):
        load(FeedbackJobConfig, tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("loop: {a: [}\n")
    with pytest.raises(ConfigError, match="not YAML"):
        load(FeedbackJobConfig, tmp_path / "broken.yaml")


def test_every_field_says_what_it_does() -> None:
    assert [name for name, _, text in config.describe(FeedbackJobConfig) if not text] == []
