from pathlib import Path

import pytest

from cetd.data.app_files import AppError
from cetd.data.folder_apps import load_folder

EXAMPLES = Path(__file__).parents[3] / "configs" / "apps"
GOOD = """
name: one
interface: {module: solution, signatures: ["def f(x: int) -> int"]}
"""


def write(folder: Path, manifest: str | None = GOOD, **files: str) -> Path:
    """An app folder below ``folder``; file names have ``_py`` for ``.py``. Returns the folder above it."""
    app = folder / "one"
    app.mkdir()
    if manifest is not None:
        (app / "app.yaml").write_text(manifest)
    for name, text in files.items():
        (app / name.replace("_py", ".py")).write_text(text)
    return folder


SOURCE = {"solution_py": "def f(x):\n    return x\n"}
TESTS = {"test_f_py": "from solution import f\n\n\ndef test_f():\n    assert f(1) == 1\n"}


def test_the_example_app_loads():
    (app,) = load_folder(EXAMPLES)
    assert app.app_id == "example-clamp"
    assert set(app.source) == {"solution.py"}
    assert set(app.tests) == {"test_clamp.py"}
    assert app.interface.signatures == ("def clamp(value: int, low: int, high: int) -> int",)
    assert app.reference == app.source


def test_tests_are_not_sources_even_where_the_globs_overlap(tmp_path: Path):
    (app,) = load_folder(write(tmp_path, **SOURCE, **TESTS))
    assert set(app.source) == {"solution.py"}


def refused(folder: Path, *parts: str) -> None:
    with pytest.raises(AppError) as caught:
        load_folder(folder)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(folder), *parts):
        assert part in message


def test_a_missing_folder_is_refused(tmp_path: Path):
    refused(tmp_path / "nowhere", "no such folder")


def test_a_folder_without_apps_is_refused(tmp_path: Path):
    refused(tmp_path, "holds no app folders", "app.yaml")


def test_an_app_folder_itself_is_refused_where_the_one_above_is_meant(tmp_path: Path):
    refused(write(tmp_path, **SOURCE, **TESTS) / "one", "give the folder above it")


def test_an_empty_app_folder_is_refused(tmp_path: Path):
    refused(write(tmp_path, manifest=None), "one", "empty", "add app.yaml")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path):
    refused(write(tmp_path, manifest=None, **SOURCE), "no app.yaml")


def test_a_syntax_error_is_named_by_path_and_line(tmp_path: Path):
    refused(write(tmp_path, solution_py="def f(x):\n    return (\n", **TESTS), "solution.py: line 2: syntax error")


def test_missing_sources_are_refused(tmp_path: Path):
    refused(write(tmp_path, **TESTS), "no file matches source=['*.py']")


def test_missing_tests_are_refused(tmp_path: Path):
    refused(write(tmp_path, **SOURCE), "no file matches tests=", "add tests")


def test_tests_without_a_test_function_are_refused(tmp_path: Path):
    refused(write(tmp_path, **SOURCE, test_f_py="x = 1\n"), "no function test_* and no assertion")


def test_a_module_that_is_no_source_is_refused(tmp_path: Path):
    refused(write(tmp_path, other_py="x = 1\n", **TESTS), "interface.module='solution'", "solution.py is no source")


@pytest.mark.parametrize(
    ("manifest", "part"),
    [
        (GOOD + "sources: [a.py]\n", "sources: unknown key; did you mean source?"),
        ("name: one\n", "interface: required"),
        (GOOD + "timeout_s: -1\n", "timeout_s=-1"),
        ("- a\n", "got list"),
        ("name: [\n", "not YAML"),
        (GOOD + "source: ['../*.py']\n", "leaves the app folder"),
        (GOOD + "tests: ['/etc/*']\n", "leaves the app folder"),
    ],
)
def test_a_wrong_manifest_is_refused_by_field(tmp_path: Path, manifest: str, part: str):
    refused(write(tmp_path, manifest, **SOURCE, **TESTS), "app.yaml", part)


def test_two_apps_of_one_name_are_refused(tmp_path: Path):
    write(tmp_path, **SOURCE, **TESTS)
    (tmp_path / "one").rename(tmp_path / "first")
    refused(write(tmp_path, **SOURCE, **TESTS), "name='one' is taken")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    write(tmp_path, **SOURCE, **TESTS)
    (tmp_path / "one" / "extra.py").write_bytes(b"\xff\xfe")
    refused(tmp_path, "extra.py: not UTF-8")
