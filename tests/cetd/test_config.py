"""Configuration: presets load, overrides apply, and what is wrong is said in one line."""

from pathlib import Path

import pytest

from cetd import config
from cetd.config import ConfigError, FeedbackJobConfig, FolderAppsConfig, MicroAppsConfig, load

ROOT = Path(__file__).parent.parent.parent
TWO_LLMS = "llms=[{name: a}, {name: b}]"


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "feedback").glob("*.yaml")), ids=lambda path: path.name)
def test_every_feedback_preset_loads(path: Path) -> None:
    loaded = load(FeedbackJobConfig, path)
    assert load(FeedbackJobConfig, path, ["run.seed=9"]).run.seed == 9
    assert loaded.run.seed == 0


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
