"""The rules of the house that a test can hold."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("platform", "actors", "jobs", "serve")
# What each floor may not import.
FORBIDDEN = {
    "platform": {"ray", "vllm", "actors", "jobs", "serve", "tests"},
    "actors": {"jobs", "serve", "tests"},
    "jobs": {"serve", "vllm", "tests"},
    "serve": {"jobs", "vllm", "tests"},
}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_platform_is_no_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists(), "it would shadow Python's own platform module"


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_only_go_down(folder: str) -> None:
    broken = {path: names for path in modules(folder) if (names := imported(path) & FORBIDDEN[folder])}
    assert not broken


def test_vllm_is_imported_in_one_file() -> None:
    assert [path.name for path in modules("actors") if "vllm" in imported(path)] == ["vllm_engine.py"]


@pytest.mark.parametrize("folder", CODE)
def test_every_module_says_what_it_is_for(folder: str) -> None:
    silent = [path for path in modules(folder) if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not silent


def test_configuration_imports_without_torch_or_ray() -> None:
    code = "import sys, cetd.config, cetd.run_folder, jobs.feedback; print({'torch', 'ray'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_nothing_unpickles() -> None:
    pickling = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    assert not {path: names for folder in CODE for path in modules(folder) if (names := imported(path) & pickling)}
    loading = [path for folder in CODE for path in modules(folder) if "torch.load(" in path.read_text("utf-8")]
    assert not loading
