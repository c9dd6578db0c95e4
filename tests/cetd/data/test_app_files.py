"""App folders and archives that somebody else made: refused with the path and the reason where they cannot be used."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cetd.data import app_files, archives
from cetd.data.app_files import AppError
from cetd.data.apps import read_apps
from cetd.data.folder_apps import write_app

MANIFEST = "name: {name}\ninterface: {{module: solution, signatures: ['def f(x: int) -> int']}}\n"
SOURCE = "def f(x):\n    return x\n"
TESTS = "from solution import f\ndef test_f():\n    assert f(1) == 1\n"


def make(folder: Path, more: str = "", name: str = "one", **files: str) -> Path:
    """An app folder ``folder/name``; file names have ``__`` for a slash and ``_py`` for ``.py``."""
    texts = {"app.yaml": MANIFEST.format(name=name) + more, "solution.py": SOURCE, "test_f.py": TESTS}
    texts |= {path.replace("__", "/").replace("_py", ".py"): text for path, text in files.items()}
    for path, text in texts.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_text(text)
    return folder / name


def refused(path: Path, *said: str) -> None:
    with pytest.raises(AppError) as caught:
        read_apps(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(path), *said):
        assert part in message


# ------------------------------------------------------------------------------------------------------ folders


def test_an_app_may_have_files_requirements_a_reference_and_a_command(tmp_path: Path) -> None:
    more = "files: ['data/*']\nrequirements: [numpy]\nreference: solved\ntest_command: pytest -q -k 'f or g'\n"
    folder = make(tmp_path, more, data__words="a b", solved__solution_py="def f(x):\n    return x + 0\n")
    (app,) = read_apps(folder)
    assert app.files == {"data/words": b"a b"}
    assert app.requirements == ("numpy",)
    assert app.reference == {"solution.py": "def f(x):\n    return x + 0\n"}
    assert (app.runner, app.arguments) == ("pytest", ("-k", "f or g"))
    write_app(app, tmp_path / "copy")
    assert read_apps(tmp_path / "copy") == [app]
    with pytest.raises(AppError, match="is there already"):
        write_app(app, tmp_path / "copy")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "secret.py").symlink_to("/etc/passwd")
    refused(folder, "secret.py: a link out of the app folder")


def test_a_link_to_a_folder_outside_is_refused_and_one_within_is_not(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "same.py").symlink_to("solution.py")
    assert set(read_apps(folder)[0].source) == {"solution.py", "same.py"}
    (folder / "away").symlink_to(tmp_path, target_is_directory=True)
    refused(folder, "away: a link out of the app folder")


def test_very_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_files, "MOST_FILES", 50)
    folder = make(tmp_path)
    for number in range(60):
        (folder / f"{number}.txt").touch()
    refused(folder, "holds more than 50 files")


def test_files_that_are_too_large_are_refused(tmp_path: Path) -> None:
    refused(make(tmp_path, long_py="x = 1\n" * (1 << 20)), "long.py: with it the files are more than 2 MiB")


def test_a_source_that_nests_beyond_the_parser_is_refused(tmp_path: Path) -> None:
    refused(make(tmp_path, deep_py="x = " + "(" * 5000 + ")" * 5000), "deep.py", "correct the file")


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (
            "from solution import f, g\ndef test_f(): pass\n",
            "test_f.py: line 1: g is used of solution, and its",
        ),
        ("import solution as s\ndef test_f():\n    assert s.f(1) and s.h\n", "line 3: h is used of solution"),
        (
            "from inner import f\ndef test_f(): pass\n",
            "line 1: imports the source inner, and the interface is",
        ),
        ("import numpy\ndef test_f(): pass\n", "line 1: imports numpy, which is no test, nor in the standard library"),
    ],
)
def test_imports_that_the_interface_does_not_name_are_refused(tmp_path: Path, tests: str, said: str) -> None:
    refused(make(tmp_path, inner_py=SOURCE, test_f_py=tests), said)


def test_imports_of_tests_and_requirements_are_fine(tmp_path: Path) -> None:
    tests = "import json, pytest, numpy, known\nfrom solution import *\ndef test_f():\n    assert f(1) == known.ONE\n"
    more = "requirements: [numpy]\ntests: ['test_*.py', 'known.py']\n"
    assert read_apps(make(tmp_path, more, test_f_py=tests, known_py="ONE = 1\n"))[0].runner == "pytest"


def test_a_signature_that_names_nothing_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "app.yaml").write_text("name: one\ninterface: {module: solution, signatures: ['-> int']}\n")
    refused(folder, "'-> int' names nothing")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("nosuchtool --all", "there is no command nosuchtool"),
        ("bash run.sh", "cannot be run in the sandbox; give pytest"),
        ("python -c pass", "cannot be run in the sandbox"),
        ("pytest --pdb", "option --pdb is not supported"),
        ("pytest gone/", "gone/ is no file of the tests"),
        ("python gone.py", "gone.py is no file of the tests"),
        ("pytest 'x", "No closing quotation"),
    ],
)
def test_a_test_command_that_cannot_be_run_is_refused(tmp_path: Path, command: str, said: str) -> None:
    refused(make(tmp_path, f'test_command: "{command}"\n'), "app.yaml: test_command=", said)


@pytest.mark.parametrize(
    ("command", "runner", "arguments"),
    [
        ("pytest", "pytest", ()),
        ("python -m pytest -q test_f.py::test_f", "pytest", ("test_f.py::test_f",)),
        ("python -m unittest", "pytest", ()),
        ("python test_f.py", "script", ("test_f.py",)),
    ],
)
def test_a_test_command_chooses_the_runner(tmp_path: Path, command: str, runner: str, arguments: tuple[str]) -> None:
    (app,) = read_apps(make(tmp_path, f"test_command: {command}\n"))
    assert (app.runner, app.arguments) == (runner, arguments)


@pytest.mark.parametrize(
    ("tests", "runner"),
    [
        (TESTS, "script"),
        ("from solution import f\nassert f(1) == 1\n", "script"),
        ("import pytest\n" + TESTS, "pytest"),
        ("from solution import f\ndef test_f(tmp_path):\n    assert f(1) == 1\n", "pytest"),
        ("from solution import f\nclass TestF:\n    def test_f(self):\n        assert f(1) == 1\n", "pytest"),
    ],
)
def test_without_a_command_the_tests_choose_their_runner(tmp_path: Path, tests: str, runner: str) -> None:
    assert read_apps(make(tmp_path, test_f_py=tests))[0].runner == runner


# ----------------------------------------------------------------------------------------------------- archives


def packed(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.rglob("*")):
            out.write(path, path.relative_to(folder.parent))
    return archive


def test_apps_are_read_from_an_archive(tmp_path: Path) -> None:
    make(tmp_path / "apps", name="one")
    make(tmp_path / "apps", name="two")
    assert [app.app_id for app in read_apps(packed(tmp_path / "apps", tmp_path / "a.zip"))] == ["one", "two"]
    assert [app.app_id for app in read_apps(packed(tmp_path / "apps" / "one", tmp_path / "b.zip"))] == ["one"]


def test_what_is_wrong_in_an_archive_is_said_by_its_name_there(tmp_path: Path) -> None:
    make(tmp_path / "apps", test_f_py="from solution import g\ndef test_f(): pass\n")
    refused(packed(tmp_path / "apps", tmp_path / "a.zip"), "a.zip!apps/one/test_f.py: line 1: g is used of solution")


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("one/app.yaml", bytes(50 << 20))
    assert (tmp_path / "a.zip").stat().st_size < 1 << 17
    refused(tmp_path / "a.zip", "unpacks to more than 1 MiB, at 'one/app.yaml'")


def test_an_archive_of_very_many_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        for number in range(app_files.MOST_FILES + 1):
            out.writestr(f"one/{number}", b"")
    refused(tmp_path / "a.zip", f"holds {app_files.MOST_FILES + 1} files")


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../x", "a\\..\\b"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(name, b"x")
    refused(tmp_path / "a.zip", "leads out of the folder")
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip"}


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        link = zipfile.ZipInfo("one/link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
    refused(tmp_path / "a.zip", "'one/link' is a link")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "apps")
    archive = packed(tmp_path / "apps", tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes()[:-30])
    refused(archive, "no zip file that can be read")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "apps.tar").touch()
    refused(tmp_path / "apps.tar", "neither a folder, nor a zip file, nor JSON Lines")
    refused(tmp_path / "gone", "no such file or folder")
